#include "services/console/events.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace trunkline::console {
namespace {

std::string event_text(const std::string& id, std::string_view event, std::string_view json) {
  std::string text;
  text.reserve(id.size() + event.size() + json.size() + 24);
  text.append("id: ").append(id).append("\nevent: ").append(event).append("\ndata: ").append(json).append("\n\n");
  return text;
}

}  // namespace

bool Events::can_resume(std::string_view last_id, std::uint64_t& number) const {
  if (!last_id.starts_with(process_) || last_id.size() <= process_.size() || last_id[process_.size()] != '-') {
    return false;
  }
  const std::string_view digits = last_id.substr(process_.size() + 1);
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (failure != std::errc() || end != digits.data() + digits.size() || number > last_) return false;
  return number == last_ || (!kept_.empty() && kept_.front().number <= number + 1);
}

bool Events::add(std::unique_ptr<Sink> sink, std::string_view last_id) {
  const std::lock_guard lock(mutex_);
  if (closed_ || sinks_.size() >= settings_.watchers) return false;
  std::uint64_t number = last_;
  const bool resumed = !last_id.empty() && can_resume(last_id, number);
  if (!resumed) number = last_;
  // A browser comes back after two seconds.
  std::string text = "retry: 2000\n\n";
  text += event_text(id_of(number), "hello",
                     std::string("{\"resumed\":") + (resumed ? "true" : "false") +
                         ",\"watchers\":" + std::to_string(sinks_.size() + 1) + "}");
  for (const Kept& kept : kept_) {
    if (kept.number > number) text += kept.text;
  }
  if (sink->write(text)) sinks_.push_back(std::move(sink));
  return true;
}

void Events::write_all(std::string_view text) {
  dropped_ += std::erase_if(sinks_, [text](const std::unique_ptr<Sink>& sink) { return !sink->write(text); });
}

void Events::publish(std::string_view event, std::string_view json) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  ++last_;
  Kept kept{last_, event_text(id_of(last_), event, json)};
  write_all(kept.text);
  kept_bytes_ += kept.text.size();
  kept_.push_back(std::move(kept));
  while (!kept_.empty() && kept_bytes_ > settings_.kept_bytes) {
    kept_bytes_ -= kept_.front().text.size();
    kept_.pop_front();
  }
}

bool Events::wanted() {
  const std::lock_guard lock(mutex_);
  if (!sinks_.empty()) return true;
  ++last_;
  kept_.clear();
  kept_bytes_ = 0;
  return false;
}

void Events::beat() {
  const std::lock_guard lock(mutex_);
  write_all("event: beat\ndata: {}\n\n");
}

void Events::disconnect() {
  const std::lock_guard lock(mutex_);
  sinks_.clear();
}

void Events::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  sinks_.clear();
}

std::size_t Events::watchers() const {
  const std::lock_guard lock(mutex_);
  return sinks_.size();
}

bool Events::room() const {
  const std::lock_guard lock(mutex_);
  return !closed_ && sinks_.size() < settings_.watchers;
}

std::uint64_t Events::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

}  // namespace trunkline::console
