// One accepted connection: its socket, its timer, what waits to be sent, and how it ends. What is spoken on it is a
// Speaker's business, and may change: TLS, then HTTP/1.1 or HTTP/2, then perhaps a WebSocket.
#pragma once

#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "net/loop.h"
#include "net/stream.h"
#include "server/gauges.h"
#include "server/progress.h"

namespace trunkline::net {
class TlsStream;
}

namespace trunkline::server {

class Connection;
class Worker;
struct TlsFacts;

// All of it on the loop's thread. None is called from inside a call that the speaker makes on its connection, but
// for on_gone.
class Speaker {
 public:
  virtual ~Speaker() = default;

  virtual void on_bytes(std::string_view bytes) = 0;  // all of them are taken
  // The peer will send no more: it has closed its side, or the connection is broken.
  virtual void on_read_end(bool broken) = 0;
  virtual void on_room() {}  // nothing waits to be sent any more; or come_again() was called, or become()
  virtual void on_deadline() = 0;
  // Comes to an end in order: what is under way is finished, nothing new is begun.
  virtual void drain() = 0;
  // The connection is closed; the last call. Handlers are told from here.
  virtual void on_gone() = 0;
  // The peer has taken too little in Timeouts::progress.
  virtual void on_stalled();

 protected:
  explicit Speaker(Connection& connection) : connection_(connection) {}
  Speaker(const Speaker&) = delete;
  Speaker& operator=(const Speaker&) = delete;

  Connection& connection_;
};

class Connection final : public net::Watcher, public net::Timer {
 public:
  Connection(Worker& worker, std::unique_ptr<net::Stream> stream, std::string peer);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Reads begin, with the handshake where the stream is a TlsStream (`handshake` is the same one).
  void begin(net::TlsStream* handshake);

  // --- for speakers

  Worker& worker() const { return worker_; }
  const std::string& peer() const { return peer_; }
  bool secure() const { return tls_ != nullptr; }
  const std::shared_ptr<const TlsFacts>& tls() const { return tls_; }
  TimePoint now() const;

  // Goes out at once as far as the socket takes it; the rest waits. While corked all of it waits.
  void send(std::initializer_list<std::string_view> parts);
  // At the end of the turn, together with what else is sent until then.
  void send_soon(std::initializer_list<std::string_view> parts);
  void cork() { corked_ = true; }
  void uncork();
  std::size_t waiting_bytes() const { return out_.size() - out_offset_; }
  // More may be sent. Otherwise on_room says when.
  bool has_room() const { return !blocked_ && !closing_ && waiting_bytes() < soon_limit; }
  void come_again();  // on_room, when others have had their turn
  std::uint64_t bytes_received() const { return received_; }

  void pause_reading() { paused_ = true; }
  void resume_reading();
  void put_back(std::string bytes);  // on_bytes, again, before what is read next
  void set_deadline(TimePoint when);

  // The next speaker; this one is destroyed at the end of the turn, without a word. `rest` is what it has not used.
  void become(std::unique_ptr<Speaker> next, std::string rest);
  template <class Kind, class... Args>
  void become(std::string rest, Args&&... args) {
    become(std::make_unique<Kind>(*this, std::forward<Args>(args)...), std::move(rest));
  }

  // Ends it when all that waits has been sent. `lingers`: the peer may still be sending, and must not lose our last
  // words to a reset.
  void close(ConnectionEnd why, bool lingers = false);
  void cut(ConnectionEnd why);             // here and now
  void cut_with_reset(ConnectionEnd why);  // so that the peer takes its end for none
  bool closing() const { return closing_; }

  // --- for the worker

  void drain();

  void on_events(std::uint32_t events) override;
  void on_timer() override;

 private:
  friend class Worker;
  static constexpr std::size_t soon_limit = 64 * 1024;

  void work();
  void append(std::initializer_list<std::string_view> parts, std::size_t taken);
  void watch_output();
  bool shake_hands();
  void read_some();
  void take_bytes(std::string_view bytes);
  void keep_rest(std::string bytes);
  void choose_speaker(std::string_view bytes);
  void take_read_end(bool broken);
  void flush();
  void finish_closing();
  void later();
  void update_timer();
  void shut();

  Worker& worker_;
  std::unique_ptr<net::Stream> stream_;
  net::TlsStream* handshake_ = nullptr;  // the stream, until its handshake is done
  std::unique_ptr<Speaker> speaker_;     // none before it is known what the client speaks
  std::string out_;
  std::size_t out_offset_ = 0;
  std::unique_ptr<std::string> rest_;  // for the next speaker, before anything is read; never empty
  std::string peer_;
  std::shared_ptr<const TlsFacts> tls_;
  ConnectionToken token_;
  ProgressWatch sending_;
  TimePoint deadline_ = never;
  std::uint64_t received_ = 0;
  Connection* previous_ = nullptr;  // in the worker's list
  Connection* next_ = nullptr;
  bool may_be_readable_ = false;
  bool hung_up_ = false;  // the end has come, perhaps behind bytes: no further event tells of it
  bool read_ended_ = false;
  bool paused_ = false;
  bool corked_ = false;
  bool working_ = false;
  bool room_owed_ = false;
  bool write_broken_ = false;
  bool blocked_ = false;  // the socket has no room
  bool later_queued_ = false;
  bool closing_ = false;
  bool lingers_ = false;
  bool lingering_ = false;
  bool shut_ = false;
};

}  // namespace trunkline::server
