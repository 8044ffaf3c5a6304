// What a job's requests say about who asks. Files are read again when they change, so a token that is rotated under us
// is the new one from the next look on. No message holds a secret.
#pragma once

#include <memory>
#include <string>

#include <trunkline/result.hpp>

#include "services/scrape/target.h"
#include "services/scrape/watched_file.h"

namespace trunkline::scrape {

class Credentials {
 public:
  explicit Credentials(const Job& job);

  // Reads what has changed. Afterwards authorization() is the header's value, empty for none, or why there is none:
  // then nothing is sent, least of all without credentials.
  void refresh();
  const Result<std::string>& authorization() const { return authorization_; }

 private:
  enum class Kind : unsigned char { none, bearer, basic };
  Result<std::string> made_of(const std::string& secret) const;

  Kind kind_ = Kind::none;
  std::string user_;
  std::unique_ptr<WatchedFile> file_;  // null: the secret stands in the job
  Result<std::string> authorization_ = std::string();
};

}  // namespace trunkline::scrape
