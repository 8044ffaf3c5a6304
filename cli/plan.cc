#include "plan.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include <trunkline/url.hpp>

#include "base/text.h"
#include "batch.h"
#include "fail.h"
#include "upload.h"

namespace trunkline::cli {
namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

// As curl: "Name: value" sets, "Name;" sends it empty, "Name:" takes it away.
Result<void> add_header(PlannedRequest& plan, std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) {
    if (line.size() > 1 && line.back() == ';') {
      plan.headers.add(line.substr(0, line.size() - 1), "");
      return {};
    }
    return misuse("-H " + printable(line.substr(0, 40)) + ": want \"Name: value\"");
  }
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trim(line.substr(colon + 1));
  if (value.empty()) {
    plan.headers.remove(name);
  } else if (equals_ignore_case(name, "Transfer-Encoding") && equals_ignore_case(value, "chunked")) {
    plan.chunked = true;  // framing is the transport's to write; this is how curl's users ask for it
  } else if (equals_ignore_case(name, "Expect") && equals_ignore_case(value, "100-continue")) {
    plan.expect_continue = true;
  } else if (equals_ignore_case(name, "Upgrade")) {
    plan.upgrade = value;
  } else if (!(equals_ignore_case(name, "Connection") && equals_ignore_case(value, "upgrade"))) {
    plan.headers.add(name, value);
  }
  return {};
}

Result<void> add_headers(PlannedRequest& plan, const std::vector<std::string>& flags) {
  for (const std::string& flag : flags) {
    if (!flag.starts_with('@')) {
      if (auto added = add_header(plan, flag); !added) return added;
      continue;
    }
    Result<std::string> text = read_file(flag.substr(1));
    if (!text) return misuse("-H " + printable(flag) + ": " + text.error().message);
    std::string_view rest = *text;
    while (!rest.empty()) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(rest.size(), line.size() + 1));
      if (trim(line).empty()) continue;
      if (auto added = add_header(plan, trim(line)); !added) return added;
    }
  }
  return {};
}

Result<std::string> data_of(const std::string& flag, const char* name, bool strip_line_ends) {
  if (!flag.starts_with('@')) return flag;
  Result<std::string> text = read_file(flag.substr(1));
  if (!text) return misuse(std::string(name) + " " + printable(flag) + ": " + text.error().message);
  if (strip_line_ends) std::erase_if(*text, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
  return text;
}

Result<void> add_data(PlannedRequest& plan, const RequestFlags& flags) {
  if (flags.data.empty() && flags.data_binary.empty()) return {};
  std::string body;
  bool first = true;
  const auto append = [&](const std::string& flag, const char* name, bool strip) -> Result<void> {
    Result<std::string> data = data_of(flag, name, strip);
    if (!data) return std::move(data).error();
    if (!std::exchange(first, false)) body += '&';
    body += *data;
    return {};
  };
  for (const std::string& flag : flags.data) {
    if (auto added = append(flag, "-d", true); !added) return added;
  }
  for (const std::string& flag : flags.data_binary) {
    if (auto added = append(flag, "--data-binary", false); !added) return added;
  }
  plan.body = std::make_shared<const std::string>(std::move(body));
  if (!plan.headers.contains("Content-Type")) plan.headers.add("Content-Type", "application/x-www-form-urlencoded");
  return {};
}

Result<Plan> plan_urls(const FetchFlags& flags, const PlannedRequest& pattern) {
  Plan plan;
  if (flags.urls.empty()) return misuse("no URL: trunkline fetch URL..., or --batch FILE");
  for (std::size_t i = 0; i < flags.urls.size(); ++i) {
    PlannedRequest& one = plan.requests.emplace_back(pattern);
    one.url = flags.urls[i];
    if (i < flags.outputs.size()) one.output = flags.outputs[i];
  }
  plan.parallel = flags.parallel;
  return plan;
}

Result<Plan> plan_batch(const FetchFlags& flags, const Options& options) {
  if (!flags.urls.empty()) return misuse("--batch and URLs exclude each other");
  if (flags.parallel > 1)
    return misuse("--batch and --parallel exclude each other: use \"parallel_group\" in the lines");
  Result<std::string> text = read_file(flags.batch);
  if (!text) return misuse("--batch " + printable(flags.batch) + ": " + text.error().message);
  const std::string name = flags.batch == "-" ? "stdin" : flags.batch;
  auto requests = parse_batch(*text, name, {options.timeouts, flags.include_body});
  if (!requests) return std::move(requests).error();
  if (requests->empty()) return misuse("--batch " + printable(name) + ": there is no request in it");
  Plan plan;
  plan.requests = *std::move(requests);
  return plan;
}

// What --retry-all-errors and --sse say about every request, batch or not.
Result<void> adapt(Plan& plan, const FetchFlags& flags) {
  for (PlannedRequest& one : plan.requests) {
    one.idempotent = one.idempotent || flags.retry_all_errors;
    if (!flags.sse) continue;
    if (!one.headers.contains("Accept")) one.headers.add("Accept", "text/event-stream");
    if (!one.output.empty()) return misuse("--sse prints events to stdout: --output means nothing there");
    if (!flags.json && (plan.parallel > 1 || !one.group.empty())) {
      return misuse("--sse of several requests at once needs --json, whose lines say whose event it is");
    }
  }
  return {};
}

// curl sends the userinfo of a URL that its user typed, and so do we; that of a redirect is nobody's word.
void use_typed_userinfo(Request& request) {
  const Result<Url> url = Url::parse(request.url());
  if (!url || !url->has_userinfo() || request.headers().contains("Authorization")) return;
  const std::string pair = std::string(url->user()) + ":" + std::string(url->password());
  request.header("Authorization", "Basic " + base64(pair));
}

}  // namespace

Result<std::string> read_file(const std::string& path) {
  const bool from_stdin = path == "-";
  std::FILE* file = from_stdin ? stdin : std::fopen(path.c_str(), "rbe");
  if (!file) return misuse(std::string("cannot open the file: ") + std::strerror(errno));
  std::string text;
  char buffer[64 * 1024];
  std::size_t size = 0;
  while ((size = std::fread(buffer, 1, sizeof buffer, file)) > 0) text.append(buffer, size);
  const int failure = std::ferror(file) ? errno : 0;
  if (!from_stdin) std::fclose(file);
  if (failure) return misuse(std::string("cannot read the file: ") + std::strerror(failure));
  return text;
}

Result<PlannedRequest> planned_request(const RequestFlags& flags) {
  PlannedRequest plan;
  plan.fresh = flags.fresh;
  plan.idempotent = flags.idempotent;
  plan.expect_continue = flags.expect_continue;
  if (auto added = add_headers(plan, flags.headers); !added) return std::move(added).error();
  if (auto added = add_data(plan, flags); !added) return std::move(added).error();
  if (!flags.user.empty()) plan.headers.set("Authorization", "Basic " + base64(flags.user));
  if (flags.head && plan.body) return misuse("-I and -d exclude each other");
  plan.method = !flags.method.empty() ? flags.method : flags.head ? "HEAD" : plan.body ? "POST" : "GET";
  return plan;
}

Result<Plan> plan_from(const FetchFlags& flags, const Options& options) {
  if (flags.parallel < 1) return misuse("--parallel " + std::to_string(flags.parallel) + ": want at least 1");
  if (flags.repeat < 1) return misuse("--repeat " + std::to_string(flags.repeat) + ": want at least 1");
  Result<PlannedRequest> pattern = planned_request(flags.request);
  if (!pattern) return std::move(pattern).error();
  pattern->include_body = flags.include_body;
  Result<Plan> plan = flags.batch.empty() ? plan_urls(flags, *pattern) : plan_batch(flags, options);
  if (!plan) return plan;
  plan->repeat = flags.repeat;
  if (auto sound = adapt(*plan, flags); !sound) return std::move(sound).error();
  if (flags.delay.empty()) return plan;
  Result<Duration> delay = parse_duration(flags.delay);
  if (!delay) return misuse("--delay " + printable(flags.delay, 40) + ": " + delay.error().message);
  for (PlannedRequest& one : plan->requests) {
    if (one.delay == Duration::zero()) one.delay = *delay;
  }
  return plan;
}

Request make_request(const PlannedRequest& plan) {
  Request request(plan.method, plan.url);
  request.headers(plan.headers);
  use_typed_userinfo(request);
  if (plan.generated_bytes || (plan.chunked && plan.body)) {
    request.body(std::make_shared<Upload>(plan.body, plan.generated_bytes.value_or(0), plan.chunked, plan.trailers));
  } else if (plan.body) {
    request.body(*plan.body);
  }
  if (plan.timeouts) request.timeouts(*plan.timeouts);
  if (plan.total) request.total_timeout(*plan.total);
  if (plan.body_limit) request.body_limit(*plan.body_limit);
  request.idempotent(plan.idempotent);
  request.fresh_connection(plan.fresh);
  request.expect_continue(plan.expect_continue);
  if (!plan.upgrade.empty()) request.upgrade(plan.upgrade);
  return request;
}

}  // namespace trunkline::cli
