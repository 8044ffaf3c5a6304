#include "server/assets.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <utility>

#include "base/characters.h"
#include "base/sha256.h"

namespace trunkline::server {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 18> content_types{{
    {".html", "text/html; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".webmanifest", "application/manifest+json"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".gif", "image/gif"},
    {".webp", "image/webp"},
    {".ico", "image/x-icon"},
    {".txt", "text/plain; charset=utf-8"},
    {".xml", "application/xml"},
    {".wasm", "application/wasm"},
    {".woff2", "font/woff2"},
    {".pdf", "application/pdf"},
}};

bool is_hash(std::string_view part) {
  constexpr std::size_t shortest = 8;
  return part.size() >= shortest &&
         std::all_of(part.begin(), part.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool has_hash(std::string_view path) {
  std::string_view name = path.substr(path.rfind('/') + 1);
  name = name.substr(0, name.rfind('.'));
  return is_hash(name.substr(name.find_last_of(".-") + 1)) && name.find_last_of(".-") != std::string_view::npos;
}

// Calls `action` with each element of a list in header fields, until it says true.
template <class Action>
bool any_element(const Headers& headers, std::string_view name, Action action) {
  for (std::string_view list : headers.get_all(name)) {
    for (std::string_view element; next_element(list, element);) {
      if (action(element)) return true;
    }
  }
  return false;
}

constexpr int most_wanted = 1000;

// A qvalue (RFC 9110 section 12.4.2) in thousandths; what is none wants nothing.
int thousandths(std::string_view q) {
  if (q.empty() || q.size() > 5 || (q[0] != '0' && q[0] != '1') || (q.size() > 1 && q[1] != '.')) return 0;
  int value = (q[0] - '0') * most_wanted;
  int unit = most_wanted / 10;
  for (const char digit : q.substr(std::min<std::size_t>(2, q.size()))) {
    if (digit < '0' || digit > '9') return 0;
    value += (digit - '0') * unit;
    unit /= 10;
  }
  return std::min(value, most_wanted);
}

// How much the client wants a coding by its Accept-Encoding: by name, or by "*". Nothing: it says neither.
std::optional<int> wish_for(const Headers& headers, std::string_view coding) {
  std::optional<int> by_name;
  std::optional<int> by_star;
  any_element(headers, "accept-encoding", [&](std::string_view element) {
    const std::string_view name = trimmed(element.substr(0, element.find(';')));
    const std::string_view parameter = trimmed(element.substr(std::min(name.size(), element.size())));
    const std::size_t equals = parameter.find('=');
    const int wish =
        equals == std::string_view::npos ? most_wanted : thousandths(trimmed(parameter.substr(equals + 1)));
    if (equals_ignore_case(name, coding)) by_name = wish;
    if (name == "*") by_star = wish;
    return false;
  });
  return by_name ? by_name : by_star;
}

struct Form {
  std::string_view coding;  // empty: as it is
  std::string_view bytes;
};

// What the client wants most of what there is; brotli, the smaller one, where both are as welcome. As it is only where
// nothing else is wanted, or it is wanted more.
Form best_form(const AssetFile& file, const Headers& headers) {
  Form best{{}, file.bytes};
  int most = 0;
  for (const Form& form : {Form{"br", file.brotli}, Form{"gzip", file.gzip}}) {
    const int wish = form.bytes.empty() ? 0 : wish_for(headers, form.coding).value_or(0);
    if (wish <= most) continue;
    most = wish;
    best = form;
  }
  if (most < most_wanted && wish_for(headers, "identity").value_or(0) > most) return {{}, file.bytes};
  return best;
}

// RFC 9110 section 13.1.2: compared weakly, because a coding makes no difference here.
bool knows(const Headers& headers, std::string_view etag) {
  return any_element(headers, "if-none-match", [etag](std::string_view element) {
    if (element.starts_with("W/")) element.remove_prefix(2);
    return element == etag || element == "*";
  });
}

}  // namespace

std::string_view content_type_of(std::string_view path) {
  for (const auto& [ending, type] : content_types) {
    if (path.ends_with(ending)) return type;
  }
  return "application/octet-stream";
}

Assets::Assets(const std::vector<AssetFile>& files, const AssetSettings& settings) : settings_(settings) {
  constexpr std::size_t etag_digits = 32;
  for (const AssetFile& file : files) {
    assets_.push_back({file, '"' + hex(sha256(file.bytes)).substr(0, etag_digits) + '"', has_hash(file.path)});
  }
  std::sort(assets_.begin(), assets_.end(), [](const Asset& a, const Asset& b) { return a.file.path < b.file.path; });
}

Response Assets::answer(std::string_view path, const Headers& request) const {
  std::string whole(path);
  if (whole.empty() || whole.ends_with('/')) whole += settings_.index;
  const auto found =
      std::lower_bound(assets_.begin(), assets_.end(), whole,
                       [](const Asset& asset, const std::string& name) { return asset.file.path < name; });
  if (found == assets_.end() || found->file.path != whole) return plain_response(404);

  Response response;
  response.headers.set("ETag", found->etag);
  response.headers.set("Cache-Control", found->immutable ? settings_.immutable_control : settings_.control);
  if (!found->file.gzip.empty() || !found->file.brotli.empty()) response.headers.set("Vary", "Accept-Encoding");
  if (knows(request, found->etag)) {
    response.status = 304;
    return response;
  }
  response.headers.set("Content-Type", content_type_of(whole));
  response.headers.set("X-Content-Type-Options", "nosniff");
  const Form form = best_form(found->file, request);
  response.lasting_body = form.bytes;
  if (!form.coding.empty()) {
    // Another representation, and so another strong tag; what it is compared with is the plain one's in all cases.
    response.headers.set("ETag", "W/" + found->etag);
    response.headers.set("Content-Encoding", form.coding);
  }
  return response;
}

Handler Assets::handler(std::string parameter) const {
  return [assets = std::make_shared<const Assets>(*this), parameter = std::move(parameter)](Request request,
                                                                                            Exchange exchange) {
    exchange.respond(assets->answer(request.parameters.get(parameter), request.headers));
  };
}

}  // namespace trunkline::server
