// A WebSocket at work: bytes between a connection's Stream and the state machine of src/websocket, messages between
// that and the user.
//
// Its loop reads, keeps the time and calls back. A lock guards the state, so that whoever sends writes at once, on his
// own thread. No user code runs under the lock.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include <trunkline/websocket.hpp>

#include "base/clock.h"
#include "base/lock.h"
#include "client/upgraded.h"
#include "net/loop.h"
#include "websocket/connection.h"
#include "websocket/handshake.h"

namespace trunkline {

class WebSocket::Impl final : public UpgradeOwner, public std::enable_shared_from_this<WebSocket::Impl> {
 public:
  using Opcode = websocket::Opcode;

  // `held`: what has already come.
  Impl(Connection& connection, std::string held, const WebSocketOptions& options, websocket::Agreement agreement,
       StreamWatches watches);
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void begin();  // once: from now on its loop drives it, and keeps it alive
  void drop();   // the user's handle is gone

  Result<void> send(Opcode opcode, std::string_view data);
  void start_send(Opcode opcode, std::string data, Callback<void(Result<void>)> done);
  Result<WebSocketMessage> receive(Duration limit);
  void start_receive(Callback<void(Result<WebSocketMessage>)> done);
  void start_close(std::uint16_t code, std::string_view reason, Callback<void(Result<void>)> done);

  const std::string& subprotocol() const { return subprotocol_; }
  bool compressed() const { return compressed_; }

  // UpgradeOwner: on the loop's thread.
  void on_socket(std::uint32_t events) override;
  void on_time() override;

 private:
  using Sent = Callback<void(Result<void>)>;

  // A message as it is to travel.
  struct Outgoing {
    Opcode opcode;
    std::string_view data;
    bool compressed;
    std::string* owner = nullptr;  // of `data`; it is moved away where the message has to be kept
  };
  struct WaitingSend {
    Opcode opcode;
    bool compressed;
    std::string data;
    Sent done;
  };
  // How it ended.
  struct End {
    std::optional<Error> error;  // none: in order, by the peer's close frame
    std::uint16_t close_code = 0;
    std::string reason;
  };

  // On the loop's thread, with the lock in hand.
  void work(std::unique_lock<Lock> held);
  bool deliver(std::unique_lock<Lock>& guard);

  // What came of it; nothing when it waits, and `done` was taken to be told.
  std::optional<Result<void>> submit(Outgoing message, bool may_wait, Sent& done);

  // With the lock.
  void read_some();
  void take_input(std::string_view bytes);
  void flush();
  void fail(ErrorCode code, Phase phase, std::string message);
  bool wants_more() const;
  bool takes_now() const { return (protocol_.has_room() && waiting_sends_.empty()) || end_; }
  std::optional<Error> has_no_place(bool may_wait) const;
  std::optional<Result<void>> queue(const Outgoing& message, bool may_wait, Sent& done);
  Result<void> accept(const Outgoing& message);
  void say_close(std::uint16_t code, std::string_view reason);
  Result<WebSocketMessage> take_next();
  TimePoint now() const;
  void wake_loop();  // work() is to run soon

  net::Loop& loop_;
  Connection* connection_;      // null once it has ended
  std::shared_ptr<Impl> self_;  // while the loop drives it
  Lock lock_;
  websocket::Connection protocol_;
  std::string held_;  // received and not decoded, while nothing more is wanted
  std::list<WebSocketMessage> inbox_;
  std::size_t inbox_bytes_ = 0;
  const std::size_t inbox_limit_;
  std::list<WaitingSend> waiting_sends_;
  Callback<void(Result<WebSocketMessage>)> receiver_;
  std::list<Callback<void(Result<void>)>> closers_;
  std::unique_ptr<End> end_;
  std::string subprotocol_;
  bool compressed_;
  StreamWatches watches_;        // of the response that it began as, while it has its connection
  bool adopted_ = false;         // its events come here
  bool may_be_readable_ = true;  // an edge has come that nobody has acted upon
  bool peer_closed_ = false;     // FIN or RST was announced
  bool wants_writable_ = false;  // listened for
  bool send_failed_ = false;     // the peer takes no more; it may still have said why
  bool paused_ = false;          // the inbox is full
  bool closing_ = false;         // by us: what comes is dropped
  bool finished_ = false;        // nothing more is to be read: the connection goes
  bool finish_told_ = false;     // and whoever waited for it knows
  bool working_ = false;         // the loop is in work()
  bool woken_ = false;           // work() is posted

  Lock compressing_;  // of senders whose messages share a window. Taken before lock_, never after
};

}  // namespace trunkline
