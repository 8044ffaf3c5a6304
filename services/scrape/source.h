// Where targets come from. A seam: lists, files, DNS names and sets that a program fills are here; pods and others come
// with whoever knows them.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <trunkline/result.hpp>

#include "base/clock.h"
#include "services/scrape/target.h"
#include "services/scrape/watched_file.h"

namespace trunkline::scrape {

class Source {
 public:
  Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source() = default;

  // Looks whether anything has changed; called often, by one thread, and never blocks for long. True: targets() or
  // trouble() is another.
  virtual bool refresh(TimePoint now) = 0;
  // What to scrape, as far as is known. A source in trouble keeps what it last knew: targets do not vanish because a
  // list cannot be read.
  virtual const std::vector<TargetPtr>& targets() const = 0;
  virtual const std::string& trouble() const = 0;  // why the list is not up to date, or empty
};

class StaticSource : public Source {
 public:
  explicit StaticSource(std::vector<TargetPtr> targets) : targets_(std::move(targets)) {}
  bool refresh(TimePoint) override { return std::exchange(first_, false); }
  const std::vector<TargetPtr>& targets() const override { return targets_; }
  const std::string& trouble() const override { return trouble_; }

 private:
  std::vector<TargetPtr> targets_;
  std::string trouble_;
  bool first_ = true;
};

// A file of Prometheus's file_sd, read again when it changes. A broken file changes nothing and says so.
class FileSource : public Source {
 public:
  FileSource(const std::string& path, std::shared_ptr<const Job> job);
  bool refresh(TimePoint now) override;
  const std::vector<TargetPtr>& targets() const override { return targets_; }
  const std::string& trouble() const override { return trouble_; }

 private:
  static constexpr std::size_t most_bytes = 64 * 1024 * 1024;
  WatchedFile file_;
  std::shared_ptr<const Job> job_;
  std::vector<TargetPtr> targets_;
  std::string trouble_;
};

// Every address that a name resolves to is a target, as with a headless service. Asked again every `every`. With https,
// the job's server_name says whose certificate it has to be: a target is an address.
class DnsSource : public Source {
 public:
  struct Place {
    std::string host;
    std::uint16_t port = 80;
    Clock::duration every = std::chrono::seconds(30);
    Clock::duration limit = std::chrono::seconds(10);  // of one look-up
  };
  DnsSource(Place place, std::shared_ptr<const Job> job);
  bool refresh(TimePoint now) override;
  const std::vector<TargetPtr>& targets() const override { return targets_; }
  const std::string& trouble() const override { return trouble_; }

 private:
  struct Inbox;
  Place place_;
  std::shared_ptr<const Job> job_;
  std::shared_ptr<Inbox> inbox_;  // shared with the look-up under way, which may end after us
  TimePoint ask_at_ = TimePoint::min();
  bool asking_ = false;
  std::vector<TargetPtr> targets_;
  std::string trouble_;
};

// What a program says, from any thread: the processes that an autoscaler has started, for one.
class SetSource : public Source {
 public:
  void set(std::vector<TargetPtr> targets);
  void add(TargetPtr target);
  void remove(const std::string& url);
  bool refresh(TimePoint now) override;
  const std::vector<TargetPtr>& targets() const override { return taken_; }
  const std::string& trouble() const override { return trouble_; }

 private:
  std::mutex mutex_;  // targets_, changed_
  std::vector<TargetPtr> targets_;
  bool changed_ = true;
  std::vector<TargetPtr> taken_;
  std::string trouble_;
};

}  // namespace trunkline::scrape
