// Coded bodies: what a real nginx compresses, every coding by every way to read a body, and servers that mean harm.
#include <thread>

#include "coding/encoders.h"
#include "support/h2_test.h"
#include "support/nginx.h"

namespace trunkline::test {
namespace {

using coding::brotlied;
using coding::coded;
using coding::gzip_bomb;
using coding::gzipped;

constexpr std::string_view ours = "gzip, deflate, br, zstd";

std::string prose(std::size_t bytes) {
  std::string text;
  std::uint32_t state = 7;
  while (text.size() < bytes) {
    state = state * 1664525 + 1013904223;
    text += "word" + std::to_string((state >> 16) % 997) + ' ';
  }
  text.resize(bytes);
  return text;
}

std::string reply(std::string_view field, std::string_view body, std::string_view status = "200 OK") {
  return "HTTP/1.1 " + std::string(status) + "\r\nContent-Encoding: " + std::string(field) +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

struct Read {
  std::string text;
  std::optional<Error> error;
};

// To the end, `piece` bytes at a time; from a loop's thread with `with_callbacks`.
Read read_to_end(ResponseStream& stream, std::size_t piece, bool with_callbacks = false) {
  Read all;
  std::vector<char> buffer(piece);
  for (;;) {
    Result<std::size_t> size = std::size_t{0};
    if (with_callbacks) {
      std::promise<Result<std::size_t>> promise;
      stream.start_read(buffer, [&](Result<std::size_t> got) { promise.set_value(std::move(got)); });
      size = promise.get_future().get();
    } else {
      size = stream.read(buffer);
    }
    if (!size) {
      all.error = size.error();
      return all;
    }
    if (*size == 0) return all;
    all.text.append(buffer.data(), *size);
  }
}

class DecodingTest : public HttpTest {
 protected:
  // /gzip/FILE, /br/FILE ... with that Content-Encoding, and /plain/FILE, which nginx compresses itself.
  NginxOptions files(bool http2) {
    std::string server = "gzip on; gzip_types *; gzip_min_length 1; gzip_http_version 1.1; gzip_proxied any;\n";
    for (const std::string coding : {"gzip", "br", "zstd", "deflate"}) {
      server += "location /" + coding + "/ { gzip off; alias " + directory_.path().string() +
                "/; add_header Content-Encoding " + coding + "; }\n";
    }
    server += "location /plain/ { alias " + directory_.path().string() + "/; }\n";
    NginxOptions options;
    options.server = server;
    options.http2 = http2;
    return options;
  }
  // The test's body, over HTTP/1.1 and HTTP/2.
  void both(const std::function<void(const Nginx&, const Client&)>& body) {
    if (!Nginx::installed()) GTEST_SKIP() << "there is no nginx";
    for (const bool http2 : {false, true}) {
      SCOPED_TRACE(http2 ? "HTTP/2" : "HTTP/1.1");
      const Nginx nginx(files(http2));
      body(nginx, make_client(http2 ? h2c_options() : test_options()));
    }
  }

  static Result<ResponseStream> open(const Client& client, const std::string& url, bool with_callback) {
    if (!with_callback) return client.open(get(url));
    std::promise<Result<ResponseStream>> promise;
    client.start_open(get(url), [&](Result<ResponseStream> opened) { promise.set_value(std::move(opened)); });
    return promise.get_future().get();
  }

  TempDir directory_;
};

TEST_F(DecodingTest, decodes_what_nginx_compresses) {
  const std::string text = prose(500'000);
  directory_.write("text", text);
  both([&](const Nginx& nginx, const Client& client) {
    const Result<Response> whole = client.get(nginx.url("/plain/text"));
    ASSERT_STATUS(whole, 200);
    EXPECT_EQ(whole->decoded_from, ContentCoding::gzip);
    EXPECT_TRUE(whole->body == text);
    EXPECT_FALSE(whole->headers.contains("Content-Encoding"));
    EXPECT_FALSE(whole->headers.contains("Content-Length"));
    for (const std::size_t piece : {100, 4096, 1'000'000}) {
      for (const bool with_callbacks : {false, true}) {
        Result<ResponseStream> stream = client.open(get(nginx.url("/plain/text")));
        ASSERT_GOOD(stream);
        EXPECT_EQ(stream->head().decoded_from, ContentCoding::gzip);
        const Read all = read_to_end(*stream, piece, with_callbacks);
        EXPECT_FALSE(all.error);
        EXPECT_TRUE(all.text == text) << piece;
      }
    }
  });
}

TEST_F(DecodingTest, knows_every_coding) {
  const std::string text = prose(100'000);
  for (const std::string_view coding : {"gzip", "br", "zstd", "deflate"}) {
    directory_.write("text." + std::string(coding), coded(coding, text));
  }
  both([&](const Nginx& nginx, const Client& client) {
    for (const std::string coding : {"gzip", "br", "zstd", "deflate"}) {
      const std::string url = nginx.url("/" + coding + "/text." + coding);
      const Result<Response> whole = client.get(url);
      ASSERT_STATUS(whole, 200);
      EXPECT_EQ(to_string(whole->decoded_from), coding);
      EXPECT_TRUE(whole->body == text) << coding;
      Result<ResponseStream> stream = client.open(get(url));
      ASSERT_GOOD(stream);
      EXPECT_TRUE(read_to_end(*stream, 777).text == text) << coding;
    }
  });
}

TEST_F(DecodingTest, asks_for_codings_unless_the_caller_would_rather_not) {
  Listener& server = serve();
  H2Server& h2 = serve_h2();
  const Client client = make_client();
  const Client h2_client = make_client(h2c_options());
  const Client plain = make_client(test_options().derive([](Options& options) { options.decompress = false; }));
  const auto sent = [&](const Client& by, Request request, std::string_view url) {
    Request to(request.method(), std::string(url));
    to.headers(request.headers());
    EXPECT_STATUS(by.send(to), 200);
  };
  const Request asked[] = {get(""), head(""), get("").header("X-Other", "1"), get("").header("User-Agent", "mine")};
  for (const Request& request : asked) {
    sent(client, request, server.url());
    EXPECT_EQ(server.log().requests.back().field("Accept-Encoding"), ours);
    sent(h2_client, request, h2.url());
    EXPECT_EQ(h2.log().back().field("accept-encoding"), ours);
    sent(plain, request, server.url());
    EXPECT_EQ(server.log().requests.back().field("Accept-Encoding"), "(none)");
  }
  const Request of_part = get("").header("Range", "bytes=0-1");
  sent(client, of_part, server.url());
  EXPECT_EQ(server.log().requests.back().field("Accept-Encoding"), "(none)");
  sent(h2_client, of_part, h2.url());
  EXPECT_EQ(h2.log().back().field("accept-encoding"), "(none)");
  const Request own = get("").header("accept-encoding", "gzip");
  sent(client, own, server.url());
  EXPECT_EQ(server.log().requests.back().field("Accept-Encoding"), "gzip");
  sent(h2_client, own, h2.url());
  EXPECT_EQ(h2.log().back().field("accept-encoding"), "gzip");
}

TEST_F(DecodingTest, leaves_alone_what_it_did_not_ask_for) {
  Listener& server = serve();
  const std::string bytes = gzipped("a text");
  const std::string url = server.raw(reply("gzip", bytes));
  const Client plain = make_client(test_options().derive([](Options& options) { options.decompress = false; }));
  const Client client = make_client();
  const Result<Response> replies[] = {plain.get(url), client.send(get(url).header("Accept-Encoding", "gzip")),
                                      client.send(get(url).header("Range", "bytes=0-99"))};
  for (const Result<Response>& each : replies) {
    ASSERT_STATUS(each, 200);
    EXPECT_EQ(each->body, bytes);
    EXPECT_EQ(each->headers.get("Content-Encoding"), "gzip");
    EXPECT_EQ(each->decoded_from, ContentCoding::none);
  }
}

TEST_F(DecodingTest, leaves_a_coding_alone_that_it_does_not_know) {
  Listener& server = serve();
  const Result<Response> got = make_client().get(server.raw(reply("aws-chunked", "as it is")));
  ASSERT_STATUS(got, 200);
  EXPECT_EQ(got->body, "as it is");
  EXPECT_EQ(got->headers.get("Content-Encoding"), "aws-chunked");
  EXPECT_EQ(got->decoded_from, ContentCoding::none);
}

TEST_F(DecodingTest, leaves_heads_without_a_body_alone) {
  Listener& server = serve();
  const Client client = make_client();
  const std::string fields = "Content-Encoding: gzip\r\nContent-Length: 55\r\n\r\n";
  const Result<Response> of_head = client.send(head(server.raw("HTTP/1.1 200 OK\r\n" + fields)));
  const Result<Response> not_modified = client.get(server.raw("HTTP/1.1 304 Not Modified\r\n" + fields));
  for (const auto* each : {&of_head, &not_modified}) {
    ASSERT_GOOD(*each);
    EXPECT_EQ((*each)->headers.get("Content-Encoding"), "gzip");
    EXPECT_EQ((*each)->headers.get("Content-Length"), "55");
    EXPECT_EQ((*each)->decoded_from, ContentCoding::none);
    EXPECT_EQ((*each)->body, "");
  }
  const Result<Response> none = client.get(server.raw("HTTP/1.1 204 No Content\r\nContent-Encoding: gzip\r\n\r\n"));
  ASSERT_STATUS(none, 204);
  EXPECT_EQ(none->headers.get("Content-Encoding"), "gzip");
  EXPECT_EQ(server.log().accepts, 1);
}

TEST_F(DecodingTest, does_not_care_how_the_bytes_come) {
  Listener& server = serve();
  const Client client = make_client();
  const std::string text = prose(2'000);
  const std::string bytes = brotlied(text);
  std::string chunks = "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const char c : bytes) chunks += std::string("1\r\n") + c + "\r\n";
  chunks += "0\r\nX-End: yes\r\n\r\n";
  for (const std::string_view split : {"split=1", "split=1000", "split=100000"}) {
    const Result<Response> whole = client.get(server.raw(chunks, split));
    ASSERT_STATUS(whole, 200);
    EXPECT_EQ(whole->body, text);
    EXPECT_EQ(whole->trailers.get("X-End"), "yes");
    Result<ResponseStream> stream = client.open(get(server.raw(chunks, split)));
    ASSERT_GOOD(stream);
    EXPECT_EQ(read_to_end(*stream, 3).text, text);
    EXPECT_EQ(stream->trailers().get("X-End"), "yes");
  }
  EXPECT_EQ(server.log().accepts, 1);
}

TEST_F(DecodingTest, takes_two_layers_and_an_empty_body_and_refuses_three_layers) {
  Listener& server = serve();
  const Client client = make_client();
  const Result<Response> two = client.get(server.raw(reply("gzip, br", brotlied(gzipped("a text")))));
  ASSERT_STATUS(two, 200);
  EXPECT_EQ(two->body, "a text");
  EXPECT_EQ(two->decoded_from, ContentCoding::several);
  const Result<Response> two_fields =
      client.get(server.raw(reply("gzip\r\nContent-Encoding: br", brotlied(gzipped("a text")))));
  ASSERT_STATUS(two_fields, 200);
  EXPECT_EQ(two_fields->body, "a text");
  const Result<Response> empty = client.get(server.raw(reply("gzip", "")));
  ASSERT_STATUS(empty, 200);
  EXPECT_EQ(empty->body, "");
  EXPECT_EQ(server.log().accepts, 1);
  EXPECT_FAILS(client.get(server.raw(reply("gzip, gzip, gzip", gzipped(gzipped(gzipped("x")))))),
               ErrorCode::limit_exceeded);
}

TEST_F(DecodingTest, bounds_the_text_and_not_only_the_bytes) {
  const std::string text = prose(200'000);
  directory_.write("text.gz", gzipped(text));
  both([&](const Nginx& nginx, const Client& client) {
    const std::string url = nginx.url("/gzip/text.gz");
    EXPECT_STATUS(client.send(get(url).body_limit(text.size())), 200);
    const Result<Response> over = client.send(get(url).body_limit(text.size() - 1));
    ASSERT_FAILS(over, ErrorCode::limit_exceeded);
    EXPECT_NE(over.error().message.find(std::to_string(text.size() - 1)), std::string::npos) << over.error().message;
    EXPECT_EQ(over.error().maybe_processed, MaybeProcessed::yes);
    EXPECT_STATUS(client.send(get(url).body_limit(text.size())), 200);  // the others go on
  });
}

TEST_F(DecodingTest, refuses_a_body_that_is_cut_off_although_the_message_is_whole) {
  Listener& server = serve();
  const Client client = make_client();
  const std::string bytes = gzipped(prose(1'000));
  const std::string url = server.raw(reply("gzip", std::string_view(bytes).substr(0, bytes.size() - 1)));
  const Result<Response> whole = client.get(url);
  ASSERT_FAILS(whole, ErrorCode::truncated_body);
  EXPECT_FALSE(whole.error().route.empty());
  for (const bool with_callbacks : {false, true}) {
    Result<ResponseStream> stream = client.open(get(url));
    ASSERT_GOOD(stream);
    const Read all = read_to_end(*stream, 64, with_callbacks);
    EXPECT_TRUE(all.text == prose(1'000));
    ASSERT_TRUE(all.error);
    EXPECT_EQ(all.error->code, ErrorCode::truncated_body);
  }
  EXPECT_EQ(server.log().accepts, 1);  // nothing was wrong with the connection
}

TEST_F(DecodingTest, refuses_garbage_at_once_and_gives_the_connection_up) {
  Listener& server = serve();
  const Client client = make_client();
  const std::string url = server.raw(reply("zstd", prose(100)));
  EXPECT_FAILS(client.get(url), ErrorCode::invalid_response);
  for (const bool with_callbacks : {false, true}) {
    Result<ResponseStream> stream = client.open(get(url));
    ASSERT_GOOD(stream);
    const Read all = read_to_end(*stream, 64, with_callbacks);
    ASSERT_TRUE(all.error);
    EXPECT_EQ(all.error->code, ErrorCode::invalid_response);
  }
  EXPECT_TRUE(eventually([&] { return stats().pool.active == 0; }));
}

// Damage that shows only when bytes that came long before are decoded for a later read.
TEST_F(DecodingTest, finds_damage_in_bytes_that_it_holds) {
  for (const std::size_t size : {30'000, 300'000}) {
    std::string damaged = gzipped(prose(size));
    damaged[damaged.size() - 6] ^= 1;  // the checksum
    directory_.write("text" + std::to_string(size), damaged + std::string(100'000, 'x'));
  }
  both([&](const Nginx& nginx, const Client& client) {
    for (int way = 0; way < 8; ++way) {
      const std::size_t size = (way & 4) != 0 ? 300'000 : 30'000;
      Result<ResponseStream> stream = open(client, nginx.url("/gzip/text" + std::to_string(size)), (way & 2) != 0);
      ASSERT_GOOD(stream);
      const Read all = read_to_end(*stream, 1'000, (way & 1) != 0);
      EXPECT_TRUE(prose(size).starts_with(all.text));  // what was read together with the damage is lost
      EXPECT_GT(all.text.size(), size / 3);
      ASSERT_TRUE(all.error);
      EXPECT_EQ(all.error->code, ErrorCode::invalid_response);
    }
    EXPECT_TRUE(eventually([&] { return stats().pool.active == 0; }));
  });
}

TEST_F(DecodingTest, a_stream_dropped_in_the_middle_leaves_nothing_behind) {
  directory_.write("text.gz", gzipped(prose(3'000'000)));
  both([&](const Nginx& nginx, const Client& client) {
    for (int i = 0; i < 3; ++i) {
      Result<ResponseStream> stream = client.open(get(nginx.url("/gzip/text.gz")));
      ASSERT_GOOD(stream);
      std::array<char, 100> some{};
      ASSERT_GOOD(stream->read(some));
    }
    EXPECT_TRUE(eventually([&] { return stats().pool.active == 0; }));
    EXPECT_STATUS(client.get(nginx.url("/small")), 200);
  });
}

TEST_F(DecodingTest, refuses_a_bomb_of_ten_gibibytes_within_64_mib) {
  directory_.write("bomb.gz", gzip_bomb(10 * 1024));
  both([&](const Nginx& nginx, const Client& client) {
    const std::string url = nginx.url("/gzip/bomb.gz");
    const MemoryWatch memory;
    EXPECT_FAILS(client.get(url), ErrorCode::limit_exceeded);
    Result<ResponseStream> stream = client.open(get(url));
    ASSERT_GOOD(stream);
    const Read all = read_to_end(*stream, 64 * 1024);
    ASSERT_TRUE(all.error);
    EXPECT_EQ(all.error->code, ErrorCode::limit_exceeded);
    EXPECT_LT(all.text.size(), 4U << 20);
    if (!sanitized()) {
      EXPECT_LT(memory.peak_growth_kb(), 64 * 1024);
    }
    EXPECT_TRUE(eventually([&] { return stats().pool.active == 0; }));
  });
}

TEST_F(DecodingTest, many_threads_decode_over_one_pool) {
  const std::string text = prose(50'000);
  directory_.write("text.zst", coded("zstd", text));
  both([&](const Nginx& nginx, const Client& client) {
    on_threads(4, [&](int) {
      for (int i = 0; i < scaled(50, 10); ++i) {
        const Result<Response> got = client.get(nginx.url("/zstd/text.zst"));
        ASSERT_STATUS(got, 200);
        EXPECT_TRUE(got->body == text);
      }
    });
  });
}

}  // namespace
}  // namespace trunkline::test
