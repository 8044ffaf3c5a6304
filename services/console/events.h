// One stream of events for everybody who watches: numbered, the last of them kept, so that who comes back with
// Last-Event-ID misses nothing. A watcher that is slow is dropped; nobody waits for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::console {

// Where events go. Called under the hub's lock, so it must not block, nor call back.
class Sink {
 public:
  Sink() = default;
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;
  virtual ~Sink() = default;
  // False: it is too slow, or gone; it is destroyed at once.
  virtual bool write(std::string_view bytes) = 0;
};

struct EventSettings {
  std::size_t watchers = 16;
  std::size_t kept_bytes = 512 * 1024;  // of events, for those who come back
};

class Events {
 public:
  // `process` tells the ids of this process from those of the one before it, which began at 1 as well.
  explicit Events(std::string process, EventSettings settings = {})
      : process_(std::move(process)), settings_(settings) {}

  // The first event is "hello" {"resumed":bool,"watchers":n}: true when what follows continues behind `last_id`,
  // otherwise the watcher has to ask for the present state first. False: there are too many, or it was closed.
  bool add(std::unique_ptr<Sink> sink, std::string_view last_id);
  // `json` is one line.
  void publish(std::string_view event, std::string_view json);
  // Whether an event need be made. If nobody watches, what happens now is told to nobody: whoever comes back behind it
  // is not resumed.
  bool wanted();
  // An event without news or id: proxies and watchers see life, and watchers that have left are noticed. Not a comment,
  // which a browser hides from the page.
  void beat();
  void disconnect();  // ends all streams; who may still read comes again
  void close();       // the same; none is added afterwards

  std::size_t watchers() const;
  bool room() const;  // for one more; add() has the last word
  std::uint64_t dropped() const;

 private:
  struct Kept {
    std::uint64_t number = 0;
    std::string text;
  };

  std::string id_of(std::uint64_t number) const { return process_ + "-" + std::to_string(number); }
  // The number behind which it can go on, or nothing known: false.
  bool can_resume(std::string_view last_id, std::uint64_t& number) const;
  void write_all(std::string_view text);

  const std::string process_;
  const EventSettings settings_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Sink>> sinks_;
  std::deque<Kept> kept_;
  std::size_t kept_bytes_ = 0;
  std::uint64_t last_ = 0;
  std::uint64_t dropped_ = 0;
  bool closed_ = false;
};

}  // namespace trunkline::console
