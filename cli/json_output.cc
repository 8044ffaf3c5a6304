#include "json_output.h"

#include <string_view>

#include "base/text.h"
#include "json_writer.h"

namespace trunkline::cli {
namespace {

void write_headers(JsonWriter& out, const Headers& headers) {
  out.open('[');
  for (const Headers::Field field : headers) out.open('[').text(field.name).text(field.value).close(']');
  out.close(']');
}

void write_body(JsonWriter& out, const Report& report) {
  out.key("body_bytes").integer(static_cast<std::int64_t>(report.body_bytes));
  if (!report.include_body || !report.head || report.streamed) return;
  const bool readable = is_utf8(report.body);
  out.key("body").text(readable ? report.body : base64(report.body));
  out.key("body_encoding").text(readable ? "utf-8" : "base64");
}

void write_connection(JsonWriter& out, const ConnectionReport& connection) {
  out.open('{').key("id");
  connection.id ? out.integer(static_cast<std::int64_t>(connection.id)) : out.null();
  out.key("reused").boolean(connection.reused);
  out.key("reuse_miss").text_or_null(connection.reuse_miss);
  out.key("dial_reason").text_or_null(connection.dial_reason);
  out.key("requests").integer(connection.requests);
  out.key("stream");
  connection.stream != 0 ? out.integer(connection.stream) : out.null();
  out.key("address").text_or_null(connection.address);
  out.key("tls").text_or_null(connection.tls);
  out.close('}');
}

void write_times(JsonWriter& out, const TimesReport& times) {
  const auto part = [&out](std::string_view name, const std::optional<Duration>& duration) {
    out.key(name);
    duration ? out.seconds(*duration) : out.null();
  };
  out.open('{');
  part("queue", times.queue);
  part("resolve", times.resolve);
  part("connect", times.connect);
  part("proxy", times.proxy);
  part("tls", times.tls);
  part("first_byte", times.first_byte);
  part("total", times.total);
  out.close('}');
}

void write_error(JsonWriter& out, const Error& error) {
  out.open('{');
  out.key("code").text(to_string(error.code));
  out.key("kind").text(to_string(error.kind));
  out.key("phase").text(to_string(error.phase));
  out.key("message").text(error.message);
  out.key("maybe_processed").text(to_string(error.maybe_processed));
  out.key("route").text_or_null(error.route);
  out.key("address").text_or_null(error.address);
  out.key("elapsed").seconds(error.elapsed);
  out.close('}');
}

void write_trace(JsonWriter& out, const std::vector<TraceEvent>& events) {
  out.open('[');
  for (const TraceEvent& event : events) {
    out.open('{');
    out.key("at").seconds(event.at);
    out.key("event").text(to_string(event.kind));
    out.key("connection");
    event.connection ? out.integer(static_cast<std::int64_t>(event.connection)) : out.null();
    out.key("detail").text_or_null(event.detail);
    out.close('}');
  }
  out.close(']');
}

void write_head(JsonWriter& out, const std::optional<ResponseHead>& head) {
  out.key("status");
  head ? out.integer(head->status) : out.null();
  out.key("protocol");
  head ? out.text_or_null(head->connection.protocol) : out.null();
  out.key("headers");
  write_headers(out, head ? head->headers : Headers());
}

}  // namespace

std::string json_line(const Report& report) {
  JsonWriter out;
  out.open('{');
  out.key("request").integer(static_cast<std::int64_t>(report.number));
  if (!report.id.empty()) out.key("id").text(report.id);
  out.key("method").text(report.method);
  out.key("url").text(report.url);
  write_head(out, report.head);
  write_body(out, report);
  if (!report.trailers.empty()) {
    out.key("trailers");
    write_headers(out, report.trailers);
  }
  if (report.redirects > 0) out.key("redirects").integer(report.redirects).key("final_url").text(report.final_url);
  out.key("connection");
  write_connection(out, report.connection);
  out.key("times");
  write_times(out, report.times);
  out.key("retries").integer(report.retries);
  out.key("error");
  report.error ? write_error(out, *report.error) : void(out.null());
  if (!report.output.empty()) out.key("output").text(report.output);
  if (!report.output_error.empty()) out.key("output_error").text(report.output_error);
  if (report.trace) {
    out.key("trace");
    write_trace(out, *report.trace);
  }
  out.close('}');
  return out.take() + "\n";
}

std::string json_line(const Error& error) {
  JsonWriter out;
  out.open('{').key("error");
  write_error(out, error);
  out.close('}');
  return out.take() + "\n";
}

std::string json_line(std::uint64_t request, const Event& event) {
  JsonWriter out;
  out.open('{').key("request").integer(static_cast<std::int64_t>(request));
  const bool readable = is_utf8(event.type) && is_utf8(event.data) && is_utf8(event.id);
  const auto text = [&](std::string_view name, const std::string& value) {
    out.key(name).text(readable ? value : base64(value));
  };
  text("event", event.type);
  text("data", event.data);
  text("id", event.id);
  out.key("encoding").text(readable ? "utf-8" : "base64");
  out.close('}');
  return out.take() + "\n";
}

std::string counters_line(const Stats& stats) { return "{\"counters\":" + stats.to_json() + "}\n"; }

}  // namespace trunkline::cli
