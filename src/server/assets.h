// Files that are part of the program, as cmake/Embed.cmake puts them there: a handler with ETag, conditional requests,
// compression made beforehand, cache rules and content types.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/exchange.h"

namespace trunkline::server {

// All of it lives as long as the program.
struct AssetFile {
  std::string_view path;  // "css/main.css"
  std::string_view bytes;
  std::string_view gzip;    // the same compressed, or empty
  std::string_view brotli;  // likewise
};

struct AssetSettings {
  // Of files whose name holds a hash of their content ("main.3f2a9c1b.js": a part of at least 8 hex digits between dots
  // or behind a dash): they never change.
  std::string_view immutable_control = "public, max-age=31536000, immutable";
  // Of all others: asked about each time, answered with 304 as a rule.
  std::string_view control = "no-cache";
  std::string_view index = "index.html";  // of the empty path, and of paths that end in a slash
};

// "text/html; charset=utf-8" for ".html" and so on; application/octet-stream for what is not known.
std::string_view content_type_of(std::string_view path);

class Assets {
 public:
  explicit Assets(const std::vector<AssetFile>& files, const AssetSettings& settings = {});

  // What is to be said about this path ("css/main.css") to a GET or HEAD with these headers: 200, 304 or 404.
  Response answer(std::string_view path, const Headers& request) const;

  // For a route like "/static/{path...}" (and another for "/static/" itself, when there is an index).
  Handler handler(std::string parameter = "path") const;

 private:
  struct Asset {
    AssetFile file;
    std::string etag;  // with its quotes
    bool immutable = false;
  };
  std::vector<Asset> assets_;  // sorted by path
  AssetSettings settings_;
};

}  // namespace trunkline::server
