// A call whose response is read by and by: an open stream, and what an upgrade makes of it.
#include <algorithm>

#include "client/call.h"
#include "client/call_signal.h"
#include "client/connection.h"
#include "client/engine.h"
#include "client/source_event.h"
#include "client/transport_impl.h"
#include "client/upgraded.h"

namespace trunkline {

Call::StreamCallbacks& Call::stream_callbacks() {
  if (!stream_callbacks_) stream_callbacks_ = std::make_unique<StreamCallbacks>();
  return *stream_callbacks_;
}

Result<std::size_t> Call::read_result() {
  const std::size_t size = std::exchange(read_bytes_, 0);
  const bool had_room = !std::exchange(into_, {}).empty();
  if (size > 0) return size;
  if (error_) return *error_;
  if (decoding_ && had_room && body_done_ && !decoding_->finish()) return decoding_error();
  return std::size_t{0};
}

Result<std::size_t> Call::read(std::span<char> into) {
  if (into.empty()) return std::size_t{0};
  if (!transport_->is_of_this_process()) return parents();
  if (decoding_ && blocking_ && (carrier_ == nullptr || carrier_->in_caller_mode())) {
    into_ = into;
    if (read_held()) return read_result();
  }
  if (blocking_ && carrier_ != nullptr && carrier_->in_caller_mode()) {  // otherwise it is the loop's to look
    into_ = into;
    read_bytes_ = 0;
    satisfied_ = false;
    carrier_->resume_reading();
    carrier_->drive(*this);
    return read_result();
  }
  if (net::Loop::current() != nullptr) {
    return Error(ErrorCode::invalid_request, Phase::body,
                 "a blocking read inside a callback would stop the loop: use start_read() there");
  }
  std::optional<Result<std::size_t>> result;
  std::atomic<std::uint32_t> word{signal_waiting};
  start_read(into, [&](Result<std::size_t> got) {
    result.emplace(std::move(got));
    set_and_wake(word, signal_granted);
  });
  while (word.load(std::memory_order_acquire) == signal_waiting) futex_wait(word, signal_waiting, never);
  return std::move(*result);
}

// After a fork nobody comes back from the parent's loops, and its sockets are not ours.
Error Call::parents() {
  return {ErrorCode::cancelled, Phase::body,
          "this response was opened before a fork, and belongs to the parent process"};
}

void Call::start_read(std::span<char> into, Callback<void(Result<std::size_t>)> done) {
  if (!transport_->is_of_this_process()) {
    Engine::instance().next_loop().post([done = std::move(done)]() mutable { done(parents()); });
    return;
  }
  if (home_.load(std::memory_order_relaxed) == nullptr) {
    home_.store(carrier_ != nullptr ? &carrier_->loop() : &Engine::instance().next_loop(), std::memory_order_relaxed);
  }
  home().post([self = shared_from_this(), into, done = std::move(done)]() mutable {
    self->into_ = into;
    self->stream_callbacks().read = std::move(done);
    self->start_read_on_loop();
  });
}

void Call::start_read_on_loop() {
  reading_ = true;
  read_bytes_ = 0;
  if (blocking_ && carrier_ != nullptr) {  // it was opened by a blocking call, and is now the loop's
    blocking_ = false;
    carrier_->hand_to_loop();
  }
  if ((decoding_ && !into_.empty() && read_held()) || carrier_ == nullptr || into_.empty()) {
    finish_read();
    return;
  }
  carrier_->resume_reading();
}

void Call::finish_read() {
  satisfied_ = true;
  if (!reading_) return;
  reading_ = false;
  auto done = std::move(stream_callbacks().read);
  if (done) done(read_result());
}

// The stream is dropped: a small rest is read, so that the connection lives; otherwise it closes.
void Call::abandon(Callback<void()> done) {
  net::Loop* loop = home_.load(std::memory_order_relaxed);
  if (loop == nullptr) {  // it was opened by a blocking call, and nobody else has ever touched it
    if (carrier_ == nullptr) {
      if (done) done();
      return;
    }
    loop = &carrier_->loop();
  }
  loop->post([self = shared_from_this(), loop, done = std::move(done)]() mutable {
    if (!self->blocking_ && &self->home() != loop) {
      self->abandon(std::move(done));  // it has moved to its connection's loop
      return;
    }
    self->abandon_here();
    if (done) done();
  });
}

void Call::abandon_here() {
  Carrier* const carrier = std::exchange(carrier_, nullptr);
  if (carrier == nullptr) return;  // it ended meanwhile
  if (carrier->in_caller_mode()) carrier->hand_to_loop();
  count_end();
  carrier->discard_rest();
  if (!reading_) return;
  error_ =
      std::make_unique<Error>(ErrorCode::cancelled, Phase::body, "the response was dropped while it was being read");
  finish_read();
}

void Call::close() {
  // In a forked child nobody would come back from the parent's loop.
  if (net::Loop::current() != nullptr || !transport_->is_of_this_process()) return abandon();
  std::atomic<std::uint32_t> word{signal_waiting};
  abandon([&word] { set_and_wake(word, signal_granted); });
  while (word.load(std::memory_order_acquire) == signal_waiting) futex_wait(word, signal_waiting, never);
}

Result<std::unique_ptr<UpgradedConnection::Impl>> Call::take_connection() {
  if (!transport_->is_of_this_process()) return parents();
  if (!upgraded_ || (blocking_ && carrier_ == nullptr)) {
    return Error(ErrorCode::invalid_request, Phase::body, "this response has not handed its connection over");
  }
  Connection* connection = nullptr;
  const auto take = [&] {
    connection = static_cast<Connection*>(std::exchange(carrier_, nullptr));  // only HTTP/1.1 hands anything over
    if (connection == nullptr) return;                                        // it ended meanwhile
    body_done_ = true;
    count_end();
    connection->hand_over();
  };
  if (blocking_ || home().on_this_thread()) {
    take();
  } else {
    std::atomic<std::uint32_t> word{signal_waiting};
    home().post([&] {
      take();
      set_and_wake(word, signal_granted);
    });
    while (word.load(std::memory_order_acquire) == signal_waiting) futex_wait(word, signal_waiting, never);
  }
  if (connection == nullptr) return Error(ErrorCode::cancelled, Phase::body, "the connection has ended meanwhile");
  return std::make_unique<UpgradedConnection::Impl>(*connection);
}

const std::shared_ptr<SourceEvent>& Call::source_event() {
  if (!source_event_) source_event_ = std::make_shared<SourceEvent>();
  return source_event_;
}

}  // namespace trunkline
