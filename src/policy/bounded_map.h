// What is known by name, for as many names as there is room for: the one asked for longest ago is forgotten first.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

namespace trunkline {

template <class T>
class BoundedMap {
 public:
  explicit BoundedMap(std::size_t most) : most_(most) {}

  // Made anew, of these arguments, if it is not known. Whoever holds it goes on with it when it is forgotten here.
  template <class... Arguments>
  std::shared_ptr<T> get(const std::string& name, Arguments&&... arguments) {
    std::lock_guard lock(mutex_);
    if (const auto found = places_.find(name); found != places_.end()) {
      all_.splice(all_.begin(), all_, found->second);
      return found->second->second;
    }
    if (all_.size() == most_) {
      places_.erase(all_.back().first);
      all_.pop_back();
    }
    all_.emplace_front(name, std::make_shared<T>(std::forward<Arguments>(arguments)...));
    places_.emplace(name, all_.begin());
    return all_.front().second;
  }

  void for_each(const std::function<void(const std::string&, T&)>& what) {
    std::lock_guard lock(mutex_);
    for (auto& [name, value] : all_) what(name, *value);
  }

 private:
  using All = std::list<std::pair<std::string, std::shared_ptr<T>>>;

  const std::size_t most_;
  std::mutex mutex_;
  All all_;  // the one asked for last comes first
  std::unordered_map<std::string, typename All::iterator> places_;
};

}  // namespace trunkline
