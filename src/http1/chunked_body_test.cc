#include "http1/chunked_body.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace trunkline::http1 {
namespace {

constexpr ChunkLimits usual{.line_bytes = 16, .extension_bytes = 12};

struct Outcome {
  std::string text;
  std::string rest;  // of the input
  ChunkedBody::Event end = ChunkedBody::Event::need_more;
  std::string problem;
};

Outcome read(std::string_view bytes, std::size_t piece, std::uint64_t room = UINT64_MAX) {
  ChunkedBody body;
  body.limit(room);
  Outcome outcome;
  std::string partial;
  for (;;) {
    std::string_view input = bytes.substr(0, piece);
    const std::size_t offered = input.size();
    outcome.end = body.next(input, partial, usual);
    outcome.text += body.data();
    bytes.remove_prefix(offered - input.size());
    if (outcome.end == ChunkedBody::Event::data) continue;
    if (outcome.end == ChunkedBody::Event::need_more && !bytes.empty()) continue;
    outcome.rest = bytes;
    outcome.problem = body.problem(outcome.end, usual);
    return outcome;
  }
}

TEST(Http1ChunkedBody, is_read_up_to_its_trailers_however_it_is_cut) {
  for (const std::size_t piece : {1U, 2U, 5U, 1000U}) {
    const Outcome outcome = read("3\r\none\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n", piece);
    EXPECT_EQ(outcome.end, ChunkedBody::Event::end) << piece;
    EXPECT_EQ(outcome.text, "one0123456789") << piece;
    EXPECT_EQ(outcome.rest, "\r\n") << "the trailers are the decoder's";
  }
}

TEST(Http1ChunkedBody, says_what_is_wrong_however_it_is_cut) {
  using Event = ChunkedBody::Event;
  const std::vector<std::tuple<std::string, Event, std::string>> cases{
      {"3\r\nfour\r\n", Event::malformed, "a chunk is longer than its size says, or CR LF is missing after it"},
      {"3\r\none\rx", Event::malformed, "a chunk is longer than its size says, or CR LF is missing after it"},
      {"x\r\n", Event::malformed, "a chunk size is not a plain hexadecimal number"},
      {"3;" + std::string(20, 'x'), Event::line_limit, "a chunk-size line is longer than the limit of 16 bytes"},
      {"1;234567\r\n1\r\n1;23456\r\n", Event::extension_limit,
       "its chunk extensions are larger than the limit of 12 bytes"},
  };
  for (const auto& [bytes, event, problem] : cases) {
    for (const std::size_t piece : {1U, 3U, 1000U}) {
      const Outcome outcome = read(bytes, piece);
      EXPECT_EQ(outcome.end, event) << bytes << " by " << piece;
      EXPECT_EQ(outcome.problem, problem) << bytes << " by " << piece;
    }
  }
}

TEST(Http1ChunkedBody, takes_nothing_of_a_chunk_that_leaves_its_limit) {
  for (const std::size_t piece : {1U, 1000U}) {
    EXPECT_EQ(read("3\r\none\r\n2\r\ntw\r\n0\r\n", piece, 5).end, ChunkedBody::Event::end);
    const Outcome outcome = read("3\r\none\r\n2\r\ntw\r\n0\r\n", piece, 4);
    EXPECT_EQ(outcome.end, ChunkedBody::Event::body_limit);
    EXPECT_EQ(outcome.text, "one");
  }
}

}  // namespace
}  // namespace trunkline::http1
