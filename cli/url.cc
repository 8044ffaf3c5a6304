#include "url.h"

#include <cstdio>
#include <string>

#include <trunkline/url.hpp>

#include "base/text.h"
#include "exit_code.h"
#include "fail.h"
#include "json_output.h"
#include "json_writer.h"
#include "output.h"
#include "secrecy.h"

namespace trunkline::cli {
namespace {

Result<Url> read_url(const UrlFlags& flags) {
  if (flags.base.empty()) return Url::parse(flags.url);
  Result<Url> base = Url::parse(flags.base);
  if (!base) {
    Error error = std::move(base).error();
    error.message = "--base: " + error.message;
    return error;
  }
  return base->resolve(flags.url);
}

std::string as_json(const Url& url, bool show_secrets) {
  JsonWriter out;
  out.open('{');
  out.key("url").text(url.text());
  out.key("scheme").text(url.scheme());
  out.key("host").text(url.host());
  out.key("port").integer(url.port());
  out.key("explicit_port").boolean(url.has_explicit_port());
  out.key("path").text(url.path());
  out.key("query");
  url.has_query() ? out.text(url.query()) : out.null();
  out.key("fragment").text_or_null(url.fragment());
  out.key("target").text(url.target());
  out.key("authority").text(url.authority());
  out.key("origin").text(url.origin());
  out.key("secure").boolean(url.secure());
  out.key("ip_version").integer(url.ip_version());
  out.key("zone").text_or_null(url.zone());
  out.key("userinfo").boolean(url.has_userinfo());
  if (show_secrets) out.key("user").text(url.user()).key("password").text(url.password());
  out.close('}');
  return out.take() + "\n";
}

std::string as_table(const Url& url, bool show_secrets) {
  std::string out;
  const auto row = [&out](const char* name, std::string_view value) {
    char label[24];
    std::snprintf(label, sizeof label, "%-10s ", name);
    out += label + printable(value, 64 * 1024) + "\n";
  };
  row("url", url.text());
  row("scheme", url.scheme());
  row("host", url.host());
  row("port", std::to_string(url.port()) + (url.has_explicit_port() ? "" : " (the scheme's default)"));
  row("path", url.path());
  if (url.has_query()) row("query", url.query());
  if (!url.fragment().empty()) row("fragment", std::string(url.fragment()) + " (never sent)");
  row("target", url.target());
  row("authority", url.authority());
  row("origin", url.origin());
  if (url.is_ip_literal()) row("address", "IPv" + std::to_string(url.ip_version()));
  if (!url.zone().empty()) row("zone", url.zone());
  if (url.has_userinfo() && !show_secrets) row("userinfo", "[redacted] (--show-secrets shows it)");
  if (url.has_userinfo() && show_secrets) row("userinfo", std::string(url.user()) + ":" + std::string(url.password()));
  return out;
}

}  // namespace

int run_url(const UrlFlags& flags) {
  const Result<Url> url = read_url(flags);
  Output out = Output::to_stdout();
  if (url) {
    out.write(flags.json ? as_json(*url, flags.show_secrets) : as_table(*url, flags.show_secrets));
  } else if (flags.json) {
    out.write(json_line(url.error()));
  } else {
    std::fprintf(stderr, "trunkline: %s: %s\n", shown_url(flags.url).c_str(), url.error().describe().c_str());
  }
  return written("url", out, url ? exit_ok : exit_code_of(url.error().kind));
}

}  // namespace trunkline::cli
