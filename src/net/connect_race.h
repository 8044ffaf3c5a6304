// Connecting to the first of several addresses that answers (RFC 8305): each gets its chance a moment after the one
// before it, and whoever answers first wins. The others are closed.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <trunkline/error.hpp>

#include "net/loop.h"
#include "net/resolver.h"

namespace trunkline::net {

class ConnectRace {
 public:
  // Told once, on the loop's thread, perhaps from inside start().
  class Owner {
   public:
    // The socket is the owner's from now on. It is still in the loop's set: arm() it with a watcher, or remove() it.
    virtual void on_race_won(int fd, const Address& address) = 0;
    // Nobody answered. `why` names every address; for want of ports or descriptors it says what to do.
    virtual void on_race_lost(ErrorCode code, std::string why) = 0;

   protected:
    ~Owner() = default;
  };

  // `bind_address`: a local IP address, or empty.
  ConnectRace(Loop& loop, Owner& owner, std::string bind_address);
  // Not while an event may be in hand: only through Loop::retire, or when the loop has ended.
  ~ConnectRace();
  ConnectRace(const ConnectRace&) = delete;
  ConnectRace& operator=(const ConnectRace&) = delete;

  void start(std::vector<Address> addresses);
  // Closes what is still connecting; nobody is told.
  void stop();
  // What has not answered yet never will: the next dials try it last.
  void blame_silent();

  const std::string& last_address() const { return last_address_; }  // the one tried last, or empty
  std::string silent_addresses() const;                              // "10.0.0.1:80, 10.0.0.2:80"
  const std::string& failures() const { return failures_; }          // "10.0.0.1:80: Connection refused; ..."

 private:
  struct Attempt;
  struct Stagger final : Timer {
    explicit Stagger(ConnectRace& of) : race(of) {}
    void on_timer() override { race.try_next(); }
    ConnectRace& race;
  };

  void try_next();
  std::ptrdiff_t connecting() const;  // attempts that are open
  void blame_those_before(const Attempt& winner);
  int open(Attempt& attempt);
  bool bind(int fd, int family, std::string& why) const;
  void on_events(Attempt& attempt, std::uint32_t events);
  void give_up(Attempt& attempt, int error, const std::string& why);
  void connected(Attempt& attempt);
  void lose();
  void lose(ErrorCode code, std::string why);

  Loop& loop_;
  Owner& owner_;
  const std::string bind_address_;
  Stagger stagger_{*this};
  bool over_ = false;

  std::vector<Address> addresses_;
  std::size_t next_address_ = 0;
  std::vector<std::unique_ptr<Attempt>> attempts_;
  std::string failures_;
  std::string want_;  // what it was for want of which the last attempt was not made
  std::string last_address_;
  bool all_without_port_ = true;
};

}  // namespace trunkline::net
