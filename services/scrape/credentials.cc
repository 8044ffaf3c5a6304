#include "services/scrape/credentials.h"

#include <utility>

#include "base/characters.h"
#include "base/text.h"

namespace trunkline::scrape {
namespace {

constexpr std::size_t longest_secret = 64 * 1024;

std::string without_line_end(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
  return text;
}

}  // namespace

Credentials::Credentials(const Job& job) : user_(job.basic_user) {
  const std::string& file = job.bearer_token_file.empty() ? job.basic_password_file : job.bearer_token_file;
  if (!job.bearer_token.empty() || !job.bearer_token_file.empty()) kind_ = Kind::bearer;
  if (!job.basic_user.empty() || !job.basic_password.empty() || !job.basic_password_file.empty()) kind_ = Kind::basic;
  if (!file.empty()) {
    file_ = std::make_unique<WatchedFile>(file, longest_secret);
    refresh();
  } else if (kind_ != Kind::none) {
    authorization_ = made_of(kind_ == Kind::bearer ? job.bearer_token : job.basic_password);
  }
}

Result<std::string> Credentials::made_of(const std::string& secret) const {
  if (kind_ == Kind::basic) return "Basic " + base64(user_ + ":" + secret);
  const auto refuse = [&](const std::string& why) {
    const std::string where = file_ ? " in " + printable(file_->path()) : "";
    return Error(ErrorCode::invalid_options, Phase::prepare, "the bearer token" + where + " " + why);
  };
  if (secret.empty()) return refuse("is empty");
  for (const char c : secret) {
    if (is_control(c) || c == ' ') return refuse("holds a space or a control character");
  }
  return "Bearer " + secret;
}

void Credentials::refresh() {
  if (!file_ || !file_->refresh()) return;
  const Result<std::string>& text = file_->text();
  authorization_ = text ? made_of(without_line_end(*text)) : Result<std::string>(text.error());
}

}  // namespace trunkline::scrape
