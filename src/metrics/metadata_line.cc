#include "metrics/metadata_line.h"

#include "base/text.h"
#include "metrics/sample_line.h"

namespace trunkline::metrics {
namespace {

using Kind = MetadataLine::Kind;

class MetadataParser {
 public:
  MetadataParser(std::string_view line, Format format, const ExpositionLimits& limits)
      : line_(line), rest_(line), format_(format), limits_(limits) {}

  MetadataLine parse() {
    if (!parse_keyword() || !parse_name() || !parse_text()) return std::move(out_);
    return std::move(out_);
  }

 private:
  bool is_text() const { return format_ == Format::text; }

  // False when there is nothing more to read.
  bool parse_keyword() {
    constexpr const char* only_four = "OpenMetrics has no comments but # HELP, # TYPE, # UNIT and # EOF";
    skip_blanks();
    rest_.remove_prefix(1);
    if (!is_text() && !gap()) return fault(only_four);
    skip_blanks();
    const std::string_view from_keyword = rest_;
    const std::string_view keyword = token();
    if (keyword == "HELP") out_.kind = Kind::help;
    if (keyword == "TYPE") out_.kind = Kind::type;
    if (is_text()) {
      skip_blanks();
      if (rest_.empty()) out_.kind = Kind::comment;
      return out_.kind != Kind::comment;
    }
    if (keyword == "UNIT") out_.kind = Kind::unit;
    if (keyword == "EOF" && rest_.empty()) {
      out_.kind = Kind::eof;
      return false;
    }
    if (out_.kind == Kind::comment) {
      rest_ = from_keyword;
      return fault(only_four);
    }
    return gap() || fault("expected a single blank and a name behind the keyword");
  }

  bool parse_name() {
    skip_blanks();
    out_.column = column();
    if (rest_.starts_with('"')) {
      if (!parse_quoted_name()) return false;
    } else {
      const char* const end = skip_plain_name(rest_.data(), rest_.data() + rest_.size(), true);
      const auto length = static_cast<std::size_t>(end - rest_.data());
      if (length == 0) return fault("expected the name of a family");
      out_.name = rest_.substr(0, length);
      rest_.remove_prefix(length);
    }
    if (out_.name.size() > limits_.name_bytes) {
      return fault("a name has more than " + std::to_string(limits_.name_bytes) + " bytes");
    }
    if (rest_.empty() && is_text()) {
      // Go's parser takes a name without anything behind it for a comment.
      out_.kind = Kind::comment;
      return false;
    }
    return gap() || fault("the name of a family holds a character that it may not have");
  }

  bool parse_quoted_name() {
    const std::size_t start = 1;
    std::size_t end = start;
    while (end < rest_.size() && rest_[end] != '"') end += rest_[end] == '\\' ? 2 : 1;
    if (end >= rest_.size()) return fault("a quote is not closed on its line");
    if (!unescape(rest_.substr(start, end - start), out_.name)) return false;
    if (out_.name.empty()) return fault("a name is empty");
    rest_.remove_prefix(end + 1);
    return true;
  }

  bool parse_text() {
    skip_blanks();
    if (out_.kind == Kind::help) return unescape(rest_, out_.text);
    if (out_.kind == Kind::unit) {
      if (!is_utf8(rest_)) return fault("this text is not UTF-8");
      out_.text = rest_;
      const bool fits = rest_.empty() || out_.name.ends_with("_" + out_.text);
      return fits || fault("a family with the unit " + printable(rest_, 64) + " must have a name that ends in _" +
                           printable(rest_, 64));
    }
    if (rest_.empty() && is_text()) {
      out_.kind = Kind::comment;
      return false;
    }
    const std::optional<Type> type = type_of(rest_, format_);
    if (!type) {
      return fault("unknown type " + printable(rest_, 64) +
                   (is_text() ? ": counter, gauge, histogram, summary or untyped"
                              : ": counter, gauge, histogram, gaugehistogram, summary, info, stateset or unknown"));
    }
    out_.type = *type;
    return true;
  }

  bool unescape(std::string_view from, std::string& out) {
    if (!is_utf8(from)) return fault("this text is not UTF-8");
    out.reserve(from.size());
    for (std::size_t i = 0; i < from.size(); ++i) {
      if (from[i] != '\\') {
        out += from[i];
        continue;
      }
      const char next = i + 1 < from.size() ? from[i + 1] : '\0';
      if (next == 'n') {
        out += '\n';
      } else if (next == '\\' || next == '"') {
        out += next;
      } else if (is_text()) {
        rest_ = std::string_view(from).substr(i);
        return fault("only \\\\, \\\" and \\n are escapes: write \\\\ for a backslash");
      } else {
        out += '\\';
        continue;
      }
      ++i;
    }
    return true;
  }

  void skip_blanks() {
    if (!is_text()) return;
    while (rest_.starts_with(' ') || rest_.starts_with('\t')) rest_.remove_prefix(1);
  }
  // One blank, and in the text format any number of them.
  bool gap() {
    if (!rest_.starts_with(' ') && !(is_text() && rest_.starts_with('\t'))) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::string_view token() {
    const std::string_view word = rest_.substr(0, rest_.find_first_of(" \t"));
    rest_.remove_prefix(word.size());
    return word;
  }
  std::size_t column() const { return static_cast<std::size_t>(rest_.data() - line_.data()) + 1; }
  bool fault(std::string what) {
    out_.kind = Kind::faulty;
    out_.column = column();
    out_.what = std::move(what);
    return false;
  }

  const std::string_view line_;
  std::string_view rest_;
  const Format format_;
  const ExpositionLimits& limits_;
  MetadataLine out_;
};

}  // namespace

MetadataLine parse_metadata_line(std::string_view line, Format format, const ExpositionLimits& limits) {
  return MetadataParser(line, format, limits).parse();
}

}  // namespace trunkline::metrics
