#include "net/name_cache.h"

#include <algorithm>
#include <utility>

namespace trunkline::net {

NameCache::Found NameCache::find(const std::string& name, TimePoint now) {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return {};
  const Entry& entry = *found->second;
  const bool refresh = now >= (entry.failing ? entry.retry_at : entry.refresh_at);
  if (now < entry.fresh_until) return {&entry.answer, entry.answer.has_value() && refresh};
  if (entry.failing && now < entry.stale_until) return {&entry.answer, refresh};
  return {};
}

const Addresses* NameCache::stale(const std::string& name, TimePoint now) const {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return nullptr;
  const Entry& entry = *found->second;
  return entry.answer && now < entry.stale_until ? &entry.answer : nullptr;
}

void NameCache::store(const std::string& name, std::vector<Address> addresses, Clock::duration ttl, TimePoint now) {
  ttl = std::clamp(ttl, limits_.least, limits_.most);
  Entry& entry = put(name, std::move(addresses));
  entry.fresh_until = now + ttl;
  entry.refresh_at = entry.fresh_until - ttl / 10;
  entry.stale_until = entry.fresh_until + limits_.stale;
}

void NameCache::deny(const std::string& name, Error error, std::optional<Clock::duration> ttl, TimePoint now) {
  Entry& entry = put(name, std::move(error));
  entry.fresh_until = now + std::clamp(ttl.value_or(limits_.failure), limits_.failure, limits_.most_failure);
}

const Addresses& NameCache::fail(const std::string& name, Error error, TimePoint now) {
  if (stale(name, now)) {
    Entry& entry = *by_name_.find(name)->second;
    entry.failing = true;
    entry.retry_at = now + limits_.failure;
    return entry.answer;
  }
  Entry& entry = put(name, std::move(error));
  entry.fresh_until = now + limits_.failure;
  return entry.answer;
}

void NameCache::invalidate(const std::string& name) {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return;
  entries_.erase(found->second);
  by_name_.erase(found);
}

void NameCache::clear() {
  by_name_.clear();
  entries_.clear();
}

NameCache::Entry& NameCache::put(const std::string& name, Addresses answer) {
  invalidate(name);
  if (entries_.size() >= limits_.names) {
    by_name_.erase(entries_.front().name);
    entries_.pop_front();
  }
  entries_.push_back(Entry{name, std::move(answer)});
  by_name_.emplace(name, std::prev(entries_.end()));
  return entries_.back();
}

}  // namespace trunkline::net
