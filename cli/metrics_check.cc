#include "metrics_check.h"

#include <array>
#include <cstdio>
#include <memory>
#include <string>

#include <trunkline/client.hpp>

#include "base/text.h"
#include "exit_code.h"
#include "fail.h"
#include "json_writer.h"
#include "metrics/exposition_parser.h"
#include "metrics/exposition_rules.h"
#include "output.h"
#include "secrecy.h"

namespace trunkline::cli {
namespace {

using metrics::Format;

// What is asked of a server, as Prometheus asks: OpenMetrics by preference.
constexpr const char* accept =
    "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
constexpr std::size_t body_limit = 64 * 1024 * 1024;

struct Body {
  std::string text;
  std::optional<Format> format;  // that the server named
};

Result<Body> fetch_body(const std::string& url) {
  Request request = get(url);
  request.header("Accept", accept).body_limit(body_limit);
  Result<Response> response = Client().send(std::move(request));
  if (!response) return std::move(response).error();
  if (response->status != 200) {
    return Error(ErrorCode::invalid_response, Phase::done,
                 "the server answered with status " + std::to_string(response->status) + " instead of metrics");
  }
  Body body;
  const std::string_view type = response->headers.get("Content-Type").value_or("");
  body.format = metrics::format_of(type);
  body.text = std::move(response->body);
  return body;
}

Result<Body> read_body(const std::string& path) {
  const auto failed = [&path](const char* what) {
    return Error(ErrorCode::invalid_request, Phase::prepare, std::string(what) + " " + printable(path));
  };
  using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;
  const File owned(path == "-" ? nullptr : std::fopen(path.c_str(), "rb"),
                   [](std::FILE* file) { return std::fclose(file); });
  std::FILE* const file = path == "-" ? stdin : owned.get();
  if (file == nullptr) return failed("cannot open");
  Body body;
  std::array<char, 65536> buffer;
  for (;;) {
    const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), file);
    body.text.append(buffer.data(), count);
    if (body.text.size() > body_limit) return failed("there are more than 64 MiB in");
    if (count == 0) break;
  }
  if (std::ferror(file) != 0) return failed("cannot read");
  return body;
}

// A body of OpenMetrics ends with its mark; only one that was cut off does not, and its server says what it is.
Format guess(const Body& body) {
  if (body.format) return *body.format;
  const std::string_view text = body.text;
  return text.ends_with("\n# EOF\n") || text.ends_with("\n# EOF") || text.starts_with("# EOF") ? Format::openmetrics
                                                                                               : Format::text;
}

class Printer final : public metrics::Visitor {
 public:
  Printer(std::string source, Format format, bool json, Output& out)
      : source_(std::move(source)), format_(format), json_(json), out_(out) {}
  ~Printer() override { flush(); }

  std::uint64_t families = 0;

  void on_family(const metrics::Family& /*family*/) override { ++families; }
  void on_sample(const metrics::Sample& sample) override {
    if (!json_) return;
    JsonWriter line;
    line.open('{');
    line.key("name").text(sample.name);
    line.key("labels").open('{');
    for (const metrics::Label& label : sample.labels) line.key(label.name).text(label.value);
    line.close('}');
    line.key("value").measured(sample.value);
    line.key("timestamp");
    sample.timestamp ? line.measured(*sample.timestamp) : line.null();
    line.key("type").text(to_string(sample.type, format_));
    line.close('}');
    buffer_ += line.take() + "\n";
    if (buffer_.size() > 64 * 1024) flush();
  }
  // On stderr: stdout is for what was read.
  void on_problem(const metrics::Problem& problem) override {
    std::fprintf(stderr, "%s:%llu:%zu: %.*s\n", source_.c_str(), static_cast<unsigned long long>(problem.line),
                 problem.column, static_cast<int>(problem.what.size()), problem.what.data());
  }
  void flush() {
    out_.write(buffer_);
    buffer_.clear();
  }

 private:
  std::string source_;
  Format format_;
  bool json_;
  Output& out_;
  std::string buffer_;
};

std::string counted(std::uint64_t count, const char* one, const char* many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

int check(const std::string& source, const Body& body, Format format, bool json) {
  Output out = Output::to_stdout();
  Printer printer(source, format, json, out);
  metrics::ExpositionRules rules(format, printer);
  const Result<metrics::ExpositionCounts> counts = metrics::parse_exposition(body.text, format, rules);
  if (counts) rules.finish();  // what is behind a limit is not known to be missing
  printer.flush();
  if (!counts) std::fprintf(stderr, "%s: %s\n", source.c_str(), counts.error().message.c_str());
  const std::uint64_t problems = counts ? counts->problems + rules.problems() : 1;
  if (counts && !json) {
    const char* const kind = format == Format::text ? "Prometheus text" : "OpenMetrics";
    out.write(source + ": " + kind + ", " + counted(printer.families, "family", "families") + ", " +
              counted(counts->samples, "sample", "samples") + ", " +
              (problems == 0 ? "valid" : counted(problems, "problem", "problems")) + "\n");
  }
  return written("metrics check", out, problems == 0 ? exit_ok : exit_invalid);
}

}  // namespace

int run_metrics_check(const MetricsCheckFlags& flags) {
  const bool is_url = flags.source.starts_with("http://") || flags.source.starts_with("https://");
  const std::string shown = is_url ? shown_url(flags.source) : flags.source == "-" ? "stdin" : printable(flags.source);
  const Result<Body> body = is_url ? fetch_body(flags.source) : read_body(flags.source);
  if (!body) {
    std::fprintf(stderr, "trunkline: %s: %s\n", shown.c_str(),
                 is_url ? body.error().describe().c_str() : body.error().message.c_str());
    return is_url ? exit_code_of(body.error().kind) : exit_misuse;
  }
  Format format = guess(*body);
  if (flags.format == "text") format = Format::text;
  if (flags.format == "openmetrics") format = Format::openmetrics;
  return check(shown, *body, format, flags.json);
}

}  // namespace trunkline::cli
