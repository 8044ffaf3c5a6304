// Asks the API of a process that is running: what status, explain and others have in common.
#pragma once

#include <string>
#include <string_view>

#include <trunkline/options.hpp>
#include <trunkline/request.hpp>
#include <trunkline/result.hpp>

#include "run_settings.h"
#include "services/config/document.h"

namespace trunkline::cli {

struct Reply {
  int status = 0;
  std::string text;      // without the line end
  config::Node content;  // the same, read; null when it is no JSON
};

// The URL without a slash at its end; "127.0.0.1:9600" is http.
std::string base_of(std::string url);

// The line in a file of --login: user:password, or a token, which has no colon (RFC 6750). An error names the file.
Result<std::string> login_of(const std::string& file);
// Options and a request that carry what --cacert and --login say. An error names the file, and shows nothing of it.
Options options_of(const AskFlags& flags);
Result<Request> request_of(const AskFlags& flags, std::string_view path);

// GET below the URL. An error says what to do about it; a status other than 200 is no error.
Result<Reply> ask_api(const AskFlags& flags, std::string_view path);

// What a reply of another status means: the sentence of its "error", or what is probably wrong.
std::string refusal(const AskFlags& flags, const Reply& reply);

// As a part of a path.
std::string path_part(std::string_view text);

// Of a mapping; nothing of what is not there.
std::string text_at(const config::Node& node, std::string_view name);
std::string shown_at(const config::Node& node, std::string_view name, std::size_t most = 300);  // fit for a terminal
double number_at(const config::Node& node, std::string_view name);

}  // namespace trunkline::cli
