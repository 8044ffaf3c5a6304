#include "services/scrape/source.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <trunkline/resolve.hpp>

#include "services/scrape/target_file.h"

namespace trunkline::scrape {
namespace {

const char* kept(const std::vector<TargetPtr>& targets) {
  return targets.empty() ? "" : "; the targets stay as they were";
}

}  // namespace

FileSource::FileSource(const std::string& path, std::shared_ptr<const Job> job)
    : file_(path, most_bytes), job_(std::move(job)) {}

bool FileSource::refresh(TimePoint) {
  if (!file_.refresh()) return false;
  const Result<std::string>& text = file_.text();
  const Result<FileFormat> format = file_format(file_.path());
  Result<std::vector<TargetPtr>> targets = !text     ? Result<std::vector<TargetPtr>>(text.error())
                                           : !format ? Result<std::vector<TargetPtr>>(format.error())
                                                     : parse_targets(*text, *format, job_);
  if (!targets) {
    const std::string trouble = file_.path() + ": " + targets.error().message + kept(targets_);
    return std::exchange(trouble_, trouble) != trouble;
  }
  targets_ = std::move(*targets);
  trouble_.clear();
  return true;
}

struct DnsSource::Inbox {
  std::mutex mutex;
  std::optional<Result<std::vector<std::string>>> answer;
};

DnsSource::DnsSource(Place place, std::shared_ptr<const Job> job)
    : place_(std::move(place)), job_(std::move(job)), inbox_(std::make_shared<Inbox>()) {}

bool DnsSource::refresh(TimePoint now) {
  if (!asking_ && now >= ask_at_) {
    asking_ = true;
    ask_at_ = now + place_.every;
    start_resolve(place_.host, place_.limit, [inbox = inbox_](Result<std::vector<std::string>> answer) {
      const std::lock_guard lock(inbox->mutex);
      inbox->answer.emplace(std::move(answer));
    });
  }
  std::optional<Result<std::vector<std::string>>> answer;
  {
    const std::lock_guard lock(inbox_->mutex);
    answer = std::exchange(inbox_->answer, std::nullopt);
  }
  if (!answer) return false;
  asking_ = false;
  if (!*answer) {
    const std::string trouble = place_.host + ": " + answer->error().message + kept(targets_);
    return std::exchange(trouble_, trouble) != trouble;
  }
  trouble_.clear();
  std::vector<TargetPtr> targets;
  for (const std::string& address : **answer) {
    const bool ipv6 = address.find(':') != std::string::npos;
    Result<TargetPtr> target =
        make_target(job_, (ipv6 ? "[" + address + "]" : address) + ":" + std::to_string(place_.port));
    if (target) targets.push_back(std::move(*target));
  }
  targets_ = std::move(targets);
  return true;
}

void SetSource::set(std::vector<TargetPtr> targets) {
  const std::lock_guard lock(mutex_);
  targets_ = std::move(targets);
  changed_ = true;
}

void SetSource::add(TargetPtr target) {
  const std::lock_guard lock(mutex_);
  targets_.push_back(std::move(target));
  changed_ = true;
}

void SetSource::remove(const std::string& url) {
  const std::lock_guard lock(mutex_);
  std::erase_if(targets_, [&](const TargetPtr& target) { return target->url == url; });
  changed_ = true;
}

bool SetSource::refresh(TimePoint) {
  const std::lock_guard lock(mutex_);
  if (!std::exchange(changed_, false)) return false;
  taken_ = targets_;
  return true;
}

}  // namespace trunkline::scrape
