#include "server/http2_speaker.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/per_thread.h"
#include "server/http2.h"
#include "server/worker.h"

namespace trunkline::server {
namespace {

constexpr std::size_t write_size = 64 * 1024;
constexpr int writes_in_a_row = 16;              // then others have their turn
constexpr std::size_t growth_of_ahead = 16;      // for a handler that keeps up: a long road needs more than a slow one
constexpr std::size_t most_ahead = 1024 * 1024;  // the windows stay far from what HTTP/2 permits at most
constexpr Clock::duration longest_round_trip = std::chrono::seconds(1);

http2::ServerLimits session_limits(const Limits& limits) {
  http2::ServerLimits made;
  made.streams = static_cast<std::uint32_t>(std::clamp<std::size_t>(limits.streams_per_connection, 1, 1U << 20));
  made.header_bytes = limits.header_bytes;
  const std::size_t ahead = std::clamp<std::size_t>(limits.body_ahead_bytes, 1, most_ahead);
  made.first_window = static_cast<std::uint32_t>(ahead);
  made.stream_window = static_cast<std::uint32_t>(ahead * growth_of_ahead);
  made.header_count = limits.header_count;
  return made;
}

}  // namespace

Http2::Http2(Connection& connection)
    : Speaker(connection),
      session_(session_limits(connection.worker().settings().limits), *this),
      idle_since_(connection.now()) {
  update_deadline();
  if (connection.worker().draining()) drain();
  connection_.come_again();  // our SETTINGS need not wait for the client's
}

Http2::~Http2() = default;

// --- the session

void Http2::on_bytes(std::string_view bytes) {
  in_session_ = true;
  const bool sound = session_.receive(bytes, connection_.now());
  in_session_ = false;
  begin_new();
  if (gone_) {
    after_session();
    return;
  }
  flush();
  if (!sound && !connection_.closing()) connection_.close(ConnectionEnd::protocol_error, true);
  update_deadline();
}

http2::ServerStream* Http2::on_request(http2::ReceivedRequest&& request, bool is_end) {
  if (gone_ || connection_.closing()) return nullptr;
  auto carrier = std::make_unique<Http2Carrier>(*this, std::move(request), is_end);
  carrier->index = carriers_.size();
  new_.push_back(carrier.get());
  carriers_.push_back(std::move(carrier));
  const std::size_t most = connection_.worker().settings().limits.requests_per_connection;
  if (most != 0 && ++served_ >= most) end_in_order();
  return carriers_.back().get();
}

void Http2::begin_new() {
  for (std::size_t i = 0; i < new_.size() && !gone_; ++i) {
    if (Http2Carrier* const next = std::exchange(new_[i], nullptr)) next->begin();
  }
  new_.clear();
}

void Http2::forget(Http2Carrier& carrier) {
  std::replace(new_.begin(), new_.end(), &carrier, static_cast<Http2Carrier*>(nullptr));
  const std::size_t index = carrier.index;
  std::swap(carriers_[index], carriers_.back());
  carriers_[index]->index = index;
  // A handler's callback may be on the stack above us.
  connection_.worker().loop().retire([owned = std::move(carriers_.back())] {});
  carriers_.pop_back();
  if (carriers_.empty()) idle_since_ = connection_.now();
}

// The client will open nothing more; what is open goes on. Where it was told to go, this is only its goodbye.
void Http2::on_goaway(http2::Code, std::string_view) {
  if (!ending_) end_ = ConnectionEnd::peer_closed;
  want_flush();
}

void Http2::want_flush() {
  if (!in_session_ && !gone_) connection_.come_again();
}

void Http2::flush() {
  struct Outgoing;
  auto& buffer = per_thread<std::array<char, write_size>, Outgoing>();
  for (int writes = 0; !gone_ && connection_.has_room(); ++writes) {
    if (writes == writes_in_a_row) {
      connection_.come_again();
      break;
    }
    in_session_ = true;
    const std::size_t size = session_.produce(buffer);
    in_session_ = false;
    if (size == 0) break;
    connection_.send({{buffer.data(), size}});
  }
  after_session();
}

void Http2::after_session() {
  if (gone_) {
    if (!std::exchange(lost_, true)) session_.lost();
    return;
  }
  stop_senders();
  if (session_.failed()) {
    connection_.close(ConnectionEnd::protocol_error, true);
    return;
  }
  if (session_.over() && connection_.waiting_bytes() == 0 && !session_.wants_write()) {
    connection_.close(end_, true);
    return;
  }
  update_deadline();
}

// Whose answer is complete may stop sending; RFC 9113 section 8.1.
void Http2::stop_senders() {
  bool any = false;
  for (const auto& carrier : carriers_) {
    if (!carrier->sends_for_nothing()) continue;
    session_.reset(*carrier, http2::Code::no_error);
    any = true;
  }
  if (any) want_flush();
}

// --- the end

void Http2::end_in_order() {
  if (std::exchange(ending_, true)) return;
  session_.announce_end();
  refuse_at_ = connection_.now() + longest_round_trip;
  want_flush();
  if (!in_session_) update_deadline();
}

void Http2::drain() {
  end_ = ConnectionEnd::drained;
  const bool idle = carriers_.empty();
  end_in_order();
  // Nobody waits: whatever the client has just sent is refused in words that let it try elsewhere.
  if (idle) session_.refuse_new();
  want_flush();
}

// A client that was told to go and has nothing open has only been the first to close.
void Http2::on_read_end(bool) { connection_.cut(ending_ && carriers_.empty() ? end_ : ConnectionEnd::peer_closed); }

void Http2::on_gone() {
  gone_ = true;
  if (!in_session_) after_session();
}

// --- time

void Http2::update_deadline() {
  if (connection_.closing()) return;  // the connection's own deadline counts
  const Timeouts& timeouts = connection_.worker().settings().timeouts;
  TimePoint next = refuse_at_;
  if (carriers_.empty()) {
    next = std::min(next, after(idle_since_, ending_ ? timeouts.linger : timeouts.idle));
    if (!session_.settings_acknowledged()) next = std::min(next, after(idle_since_, timeouts.header));
    check_at_ = never;
  } else {
    if (check_at_ == never) check_at_ = after(connection_.now(), timeouts.progress / 2);
    next = std::min(next, check_at_);
  }
  connection_.set_deadline(next);
}

void Http2::on_deadline() {
  const TimePoint now = connection_.now();
  const Timeouts& timeouts = connection_.worker().settings().timeouts;
  if (now >= refuse_at_) {
    refuse_at_ = never;
    session_.refuse_new();
  }
  if (carriers_.empty() && now >= after(idle_since_, ending_ ? timeouts.linger : timeouts.idle)) {
    const bool was_ending = ending_;
    if (!was_ending) end_ = ConnectionEnd::idle;
    end_in_order();
    session_.refuse_new();
    flush();
    if (!connection_.closing() && was_ending) connection_.close(end_);
    return;
  }
  if (carriers_.empty() && !session_.settings_acknowledged() && now >= after(idle_since_, timeouts.header)) {
    connection_.cut(ConnectionEnd::timed_out);
    return;
  }
  if (now >= check_at_) check_at_ = never;
  std::vector<Http2Carrier*> slow;
  for (const auto& carrier : carriers_) {
    if (!carrier->check_progress(now)) slow.push_back(carrier.get());
  }
  for (Http2Carrier* carrier : slow) carrier->give_up_slow();
  flush();
}

std::unique_ptr<Speaker> make_http2(Connection& connection) { return std::make_unique<Http2>(connection); }

}  // namespace trunkline::server
