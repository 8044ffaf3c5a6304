#include "ask.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>

#include <trunkline/client.hpp>
#include <trunkline/url.hpp>

#include "base/text.h"
#include "services/config/number.h"

namespace trunkline::cli {
namespace {

constexpr config::Limits most_of_an_answer{.bytes = 64 << 20, .depth = 64, .nodes = 5'000'000};

}  // namespace

Result<std::string> login_of(const std::string& file) {
  constexpr std::size_t most_bytes = 64 * 1024;
  std::ifstream in(file, std::ios::binary);
  std::string login(most_bytes + 1, '\0');
  in.read(login.data(), static_cast<std::streamsize>(login.size()));
  login.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  while (login.ends_with('\n') || login.ends_with('\r')) login.pop_back();
  if (login.empty() || login.size() > most_bytes || login.find_first_of("\r\n") != std::string::npos) {
    return Error(ErrorCode::invalid_options, Phase::prepare,
                 "--login: " + printable(file) + " cannot be read, or is not one line with user:password or a token");
  }
  return login;
}

Options options_of(const AskFlags& flags) {
  return Options().derive([&](Options& options) {
    options.timeouts.connect = std::chrono::seconds(5);
    options.timeouts.total = std::chrono::seconds(15);
    options.tls.ca_file = flags.ca_file;
  });
}

Result<Request> request_of(const AskFlags& flags, std::string_view path) {
  Request request = get(base_of(flags.url) + std::string(path));
  if (flags.login_file.empty()) return request;
  const Result<std::string> login = login_of(flags.login_file);
  if (!login) return login.error();
  const bool is_token = login->find(':') == std::string::npos;
  request.header("Authorization", is_token ? "Bearer " + *login : "Basic " + base64(*login));
  return request;
}

std::string base_of(std::string url) {
  if (url.find("://") == std::string::npos) url = "http://" + url;
  while (url.ends_with('/')) url.pop_back();
  return url;
}

Result<Reply> ask_api(const AskFlags& flags, std::string_view path) {
  const std::string base = base_of(flags.url);
  Result<Request> request = request_of(flags, path);
  if (!request) return std::move(request).error();
  Result<Response> response = Client(options_of(flags)).send(*std::move(request));
  if (!response) {
    Error error = std::move(response).error();
    if (error.kind == ErrorKind::unreachable) {
      error.message += "; is `trunkline run` running, and is this its admin listener? See --url";
    }
    return error;
  }
  Reply reply{response->status, std::move(response->body), {}};
  while (reply.text.ends_with('\n')) reply.text.pop_back();
  Result<config::Node> content = config::parse_json(reply.text, base + std::string(path), most_of_an_answer);
  if (content) {
    reply.content = std::move(*content);
  } else if (reply.status == 200) {
    return Error(ErrorCode::invalid_response, Phase::prepare, "the answer is no JSON: " + content.error().message);
  }
  return reply;
}

std::string refusal(const AskFlags& flags, const Reply& reply) {
  if (reply.status == 401)
    return printable(flags.url) + " asks for a password or a token: give it in a file, --login FILE";
  const std::string sentence = text_at(reply.content, "error");
  if (!sentence.empty()) return printable(sentence, 1000);
  std::string text = printable(flags.url) + " answered " + std::to_string(reply.status);
  if (reply.status == 404) text += ": it is no admin listener of trunkline, or its configuration says `console: false`";
  return text;
}

std::string path_part(std::string_view text) {
  static constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '.' || c == '~') {
      out += c;
    } else {
      out += {'%', digits[byte >> 4], digits[byte & 15]};
    }
  }
  return out;
}

std::string text_at(const config::Node& node, std::string_view name) {
  const config::Node* found = node.find(name);
  return found && found->kind == config::Node::Kind::scalar ? found->text : "";
}

std::string shown_at(const config::Node& node, std::string_view name, std::size_t most) {
  return printable(text_at(node, name), most);
}

double number_at(const config::Node& node, std::string_view name) {
  return config::read_number(text_at(node, name)).value_or(0);
}

}  // namespace trunkline::cli
