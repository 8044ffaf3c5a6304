#include "metrics/exposition_parser.h"

#include <cstring>
#include <unordered_map>

#include "base/characters.h"
#include "base/text.h"
#include "metrics/metadata_line.h"
#include "metrics/sample_line.h"

namespace trunkline::metrics {
namespace {

struct NameHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
};

std::string left_already(std::string_view family) {
  return "the family " + printable(family, 64) + " was left already: its lines must stand together";
}

}  // namespace

struct ExpositionParser::Entry {
  std::string_view name;  // the key of the map
  Type type = Type::untyped;
  std::string help;
  std::string unit;
  bool has_help = false;
  bool has_type = false;
  bool has_unit = false;
  bool has_samples = false;
  bool told = false;
};

struct ExpositionParser::Families {
  std::unordered_map<std::string, Entry, NameHash, std::equal_to<>> by_name;
  SampleLine line;

  Families(Format format, const ExpositionLimits& limits) : line(format, limits) {}

  Entry* find(std::string_view name) {
    const auto found = by_name.find(name);
    return found == by_name.end() ? nullptr : &found->second;
  }

  // The family that a sample's name belongs to by its ending: "a_bucket" to the histogram "a".
  Entry* find_by_suffix(std::string_view name, Format format) {
    const std::size_t underscore = name.rfind('_');
    if (underscore == std::string_view::npos) return nullptr;
    Entry* const entry = find(name.substr(0, underscore));
    return entry != nullptr && may_end_in(entry->type, format, name.substr(underscore)) ? entry : nullptr;
  }
};

ExpositionParser::ExpositionParser(Format format, Visitor& visitor, Wanted wanted, const ExpositionLimits& limits)
    : format_(format),
      visitor_(visitor),
      wanted_(std::move(wanted)),
      wants_everything_(wanted_.everything()),
      limits_(limits),
      families_(std::make_unique<Families>(format, limits)) {}

ExpositionParser::~ExpositionParser() = default;

Result<void> ExpositionParser::feed(std::string_view chunk) {
  const auto failed = [this] { return Error(ErrorCode::limit_exceeded, Phase::body, failure_); };
  if (!failure_.empty()) return failed();
  // What fits is read all the same, so that the story does not depend on how the body was cut.
  const bool too_long = chunk.size() > limits_.body_bytes - counts_.bytes;
  if (too_long) chunk = chunk.substr(0, limits_.body_bytes - counts_.bytes);
  counts_.bytes += chunk.size();

  while (!chunk.empty()) {
    const void* const found = std::memchr(chunk.data(), '\n', chunk.size());
    const std::size_t length =
        found == nullptr ? chunk.size() : static_cast<std::size_t>(static_cast<const char*>(found) - chunk.data());
    std::string_view line = chunk.substr(0, length);
    if (line.size() > limits_.line_bytes - partial_.size()) {
      ++counts_.lines;
      over("a line has more than " + std::to_string(limits_.line_bytes) + " bytes");
      return failed();
    }
    if (found == nullptr) {
      partial_ += line;
      break;
    }
    chunk.remove_prefix(length + 1);
    if (partial_.empty()) {
      if (!take_line(line)) return failed();
      continue;
    }
    partial_ += line;
    if (!take_line(partial_)) return failed();
    partial_.clear();
  }
  if (!too_long) return {};
  over("the body has more than " + print_size(limits_.body_bytes));
  return failed();
}

Result<void> ExpositionParser::finish() {
  if (!failure_.empty()) return Error(ErrorCode::limit_exceeded, Phase::body, failure_);
  if (std::exchange(finished_, true)) return {};
  if (format_ == Format::openmetrics && partial_ == "# EOF") {
    take_line(partial_);
    partial_.clear();
  }
  counts_.truncated = !partial_.empty() || (format_ == Format::openmetrics && !seen_eof_);
  if (!partial_.empty()) {
    ++counts_.lines;
    problem(partial_.size() + 1, "the body ends within a line: it was cut off, or the last line feed is missing");
  } else if (counts_.truncated) {
    ++counts_.lines;
    problem(1, "the body ends without # EOF: it was cut off");
  }
  tell_current();
  return {};
}

// False: a limit is reached.
bool ExpositionParser::take_line(std::string_view line) {
  ++counts_.lines;
  std::string_view trimmed = line;
  if (format_ == Format::text) {
    while (!trimmed.empty() && is_blank(trimmed.front())) trimmed.remove_prefix(1);
    if (trimmed.empty()) return true;
  } else if (seen_eof_) {
    problem(1, "nothing may follow # EOF");
    return true;
  } else if (line.empty()) {
    problem(1, "OpenMetrics has no empty lines");
    return true;
  }
  return trimmed.front() == '#' ? take_metadata(line) : take_sample(line);
}

bool ExpositionParser::take_metadata(std::string_view line) {
  using Kind = MetadataLine::Kind;
  MetadataLine metadata = parse_metadata_line(line, format_, limits_);
  if (metadata.kind == Kind::comment) return true;
  if (metadata.kind == Kind::eof) {
    seen_eof_ = true;
    return true;
  }
  if (metadata.kind == Kind::faulty) {
    problem(metadata.column, metadata.what);
    return true;
  }
  if (!wanted_.family(metadata.name)) return true;
  const bool is_left = current_ == nullptr || current_->name != metadata.name;
  Entry* const entry = enter(metadata.name);
  if (entry == nullptr) return false;
  if (format_ == Format::openmetrics && is_left && entry->told) {
    problem(metadata.column, left_already(metadata.name));
    return true;
  }
  if (entry->has_samples && (format_ == Format::openmetrics || metadata.kind == Kind::type)) {
    problem(metadata.column,
            "metadata of " + printable(metadata.name, 64) + " behind its samples: it must come before");
    return true;
  }
  bool& has = metadata.kind == Kind::help   ? entry->has_help
              : metadata.kind == Kind::type ? entry->has_type
                                            : entry->has_unit;
  if (std::exchange(has, true)) {
    problem(metadata.column, "the family " + printable(metadata.name, 64) + " has this line already");
    return true;
  }
  if (metadata.kind == Kind::type) entry->type = metadata.type;
  if (metadata.kind == Kind::help) entry->help = std::move(metadata.text);
  if (metadata.kind == Kind::unit) entry->unit = std::move(metadata.text);
  return true;
}

bool ExpositionParser::take_sample(std::string_view line) {
  if (counts_.samples == limits_.samples) {
    return over("the body has more than " + std::to_string(limits_.samples) + " samples");
  }
  ++counts_.samples;
  if (!wants_everything_ && steps_over(line)) return true;

  SampleLine& sample = families_->line;
  const SampleLine::Outcome outcome = sample.parse(line);
  if (outcome == SampleLine::Outcome::over_limit) return over(sample.what());
  if (outcome == SampleLine::Outcome::faulty) {
    problem(sample.column(), sample.what());
    return true;
  }
  if (sample.name() == last_name_ && last_ == current_ && last_ != nullptr) return tell_sample(*last_);
  // A name in quotes is known only now.
  if (!wants_everything_ && !wanted_.sample(sample.name())) return true;
  Entry* const entry = family_of(sample.name());
  if (entry == nullptr) return failure_.empty();
  last_name_ = sample.name();
  last_ = entry;
  return tell_sample(*entry);
}

bool ExpositionParser::steps_over(std::string_view line) {
  while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
  if (!unwanted_.empty() && line.size() > unwanted_.size() &&
      std::memcmp(line.data(), unwanted_.data(), unwanted_.size()) == 0) {
    const char next = line[unwanted_.size()];
    if (next == '{' || next == ' ') return true;
  }
  const char* const end = skip_plain_name(line.data(), line.data() + line.size(), true);
  const std::string_view name(line.data(), static_cast<std::size_t>(end - line.data()));
  if (name.empty() || wanted_.sample(name)) return false;
  unwanted_ = name;
  return true;
}

// Null: told as a problem, or a limit is reached.
ExpositionParser::Entry* ExpositionParser::family_of(std::string_view name) {
  if (current_ != nullptr && name.starts_with(current_->name) &&
      may_end_in(current_->type, format_, name.substr(current_->name.size()))) {
    return current_;
  }
  Entry* entry = families_->find(name);
  if (entry == nullptr) entry = families_->find_by_suffix(name, format_);
  if (format_ == Format::openmetrics && entry != nullptr) {
    problem(1, entry == current_ ? "a sample " + printable(name, 64) + " is not what a family of the type " +
                                       std::string(to_string(entry->type, format_)) + " has"
                                 : left_already(entry->name));
    return nullptr;
  }
  return entry == nullptr ? enter(name) : enter(entry->name);
}

// Makes this family the current one.
ExpositionParser::Entry* ExpositionParser::enter(std::string_view name) {
  if (current_ != nullptr && current_->name == name) return current_;
  tell_current();
  current_ = families_->find(name);
  if (current_ != nullptr) return current_;
  if (families_->by_name.size() == limits_.families) {
    over("the body has more than " + std::to_string(limits_.families) + " families");
    return nullptr;
  }
  const auto [place, is_new] = families_->by_name.emplace(std::string(name), Entry());
  current_ = &place->second;
  current_->name = place->first;
  return current_;
}

bool ExpositionParser::tell_sample(Entry& entry) {
  const SampleLine& line = families_->line;
  const std::string_view suffix = line.name().substr(entry.name.size());
  if (line.exemplar() != nullptr && suffix != "_bucket" && suffix != "_total") {
    problem(1, "only counters and buckets may have an exemplar");
    return true;
  }
  if (!entry.told) tell_current();
  entry.has_samples = true;
  Sample sample;
  sample.name = line.name();
  sample.family = line.name().substr(0, entry.name.size());
  sample.type = entry.type;
  sample.labels = line.labels();
  sample.value = line.value();
  sample.timestamp = line.timestamp();
  sample.exemplar = line.exemplar();
  sample.line = counts_.lines;
  ++counts_.told;
  visitor_.on_sample(sample);
  return true;
}

void ExpositionParser::tell_current() {
  if (current_ == nullptr || std::exchange(current_->told, true)) return;
  visitor_.on_family({current_->name, current_->type, current_->help, current_->unit});
}

void ExpositionParser::problem(std::size_t column, std::string_view what) {
  if (++counts_.problems <= limits_.problems_told) visitor_.on_problem({counts_.lines, column, what});
}

bool ExpositionParser::over(std::string what) {
  failure_ = "line " + std::to_string(counts_.lines) + ": " + std::move(what) +
             ": raise ExpositionLimits if this exporter is to be trusted with that";
  return false;
}

Result<ExpositionCounts> parse_exposition(std::string_view body, Format format, Visitor& visitor, const Wanted& wanted,
                                          const ExpositionLimits& limits) {
  ExpositionParser parser(format, visitor, wanted, limits);
  if (Result<void> fed = parser.feed(body); !fed) return std::move(fed).error();
  if (Result<void> finished = parser.finish(); !finished) return std::move(finished).error();
  return parser.counts();
}

}  // namespace trunkline::metrics
