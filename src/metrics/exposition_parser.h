// Reads what others expose, as it comes from the socket: chunks in, families and samples out, however they are cut. One
// pass, no allocation for a sample, no I/O, no clock.
//
// A line that is not valid is told with its place and skipped. A limit that is reached, and only that, ends the parse.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <trunkline/result.hpp>

#include "metrics/exposition.h"
#include "metrics/wanted.h"

namespace trunkline::metrics {

struct ExpositionCounts {
  std::uint64_t bytes = 0;
  std::uint64_t lines = 0;
  std::uint64_t samples = 0;  // all in the body, told or stepped over; of faulty lines too
  std::uint64_t told = 0;
  std::uint64_t problems = 0;
  bool truncated = false;  // the end of the body is missing: what it says is not all that there is
};

class ExpositionParser {
 public:
  // The visitor outlives the parser.
  ExpositionParser(Format format, Visitor& visitor, Wanted wanted = {}, const ExpositionLimits& limits = {});
  ExpositionParser(const ExpositionParser&) = delete;
  ExpositionParser& operator=(const ExpositionParser&) = delete;
  ~ExpositionParser();

  // The next bytes of the body. An error says which limit was reached, and is final.
  Result<void> feed(std::string_view chunk);

  // There is no more: tells whether the body was whole, once.
  Result<void> finish();

  const ExpositionCounts& counts() const { return counts_; }

 private:
  struct Families;
  struct Entry;

  bool take_line(std::string_view line);
  bool take_metadata(std::string_view line);
  bool take_sample(std::string_view line);
  bool steps_over(std::string_view line);
  Entry* family_of(std::string_view name);
  Entry* enter(std::string_view name);
  bool tell_sample(Entry& entry);
  void tell_current();
  void problem(std::size_t column, std::string_view what);
  bool over(std::string what);

  const Format format_;
  Visitor& visitor_;
  const Wanted wanted_;
  const bool wants_everything_;
  const ExpositionLimits limits_;
  ExpositionCounts counts_;

  std::string partial_;  // as much of the present line as has come
  bool seen_eof_ = false;
  bool finished_ = false;
  std::string failure_;

  std::string unwanted_;   // the last name that was stepped over: it mostly comes many times in a row
  std::string last_name_;  // of the last sample told
  Entry* last_ = nullptr;  // its family
  Entry* current_ = nullptr;
  std::unique_ptr<Families> families_;
};

// A whole body at once.
Result<ExpositionCounts> parse_exposition(std::string_view body, Format format, Visitor& visitor,
                                          const Wanted& wanted = {}, const ExpositionLimits& limits = {});

}  // namespace trunkline::metrics
