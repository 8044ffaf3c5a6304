#include "server/assets.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

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

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Calls `action` with each element of a list in header fields, until it says true.
template <class Action>
bool any_element(const Headers& headers, std::string_view name, Action action) {
  for (std::string_view list : headers.get_all(name)) {
    while (!list.empty()) {
      const std::string_view element = list.substr(0, list.find(','));
      list.remove_prefix(std::min(element.size() + 1, list.size()));
      if (action(trimmed(element))) return true;
    }
  }
  return false;
}

bool accepts_gzip(const Headers& headers) {
  return any_element(headers, "accept-encoding", [](std::string_view element) {
    const std::string_view coding = trimmed(element.substr(0, element.find(';')));
    const std::size_t q = element.find("q=");
    const bool refused =
        q != std::string_view::npos && element.substr(q + 2).find_first_not_of("0.") == std::string_view::npos;
    return equals_ignore_case(coding, "gzip") && !refused;
  });
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
  if (!found->file.gzip.empty()) response.headers.set("Vary", "Accept-Encoding");
  if (knows(request, found->etag)) {
    response.status = 304;
    return response;
  }
  response.headers.set("Content-Type", content_type_of(whole));
  response.headers.set("X-Content-Type-Options", "nosniff");
  response.lasting_body = found->file.bytes;
  if (!found->file.gzip.empty() && accepts_gzip(request)) {
    // Another representation, and so another strong tag; what it is compared with is the plain one's in both cases.
    response.headers.set("ETag", "W/" + found->etag);
    response.headers.set("Content-Encoding", "gzip");
    response.lasting_body = found->file.gzip;
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
