// What may be shown of URLs and headers on a terminal or in a log: credentials become "[redacted]".
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace trunkline::cli {

struct Secrecy {
  bool show_secrets = false;
  std::vector<std::string> secret_headers;  // beside Authorization, Cookie and their like

  // Fit for a terminal: control characters are escaped.
  std::string header_value(std::string_view name, std::string_view value) const;
};

// Whether it parses or not.
std::string without_userinfo(std::string_view url);

// The same, fit for a terminal: control characters are escaped.
std::string shown_url(std::string_view url);

}  // namespace trunkline::cli
