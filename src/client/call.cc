#include "client/call.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "base/futex.h"
#include "client/check.h"
#include "client/connection.h"
#include "client/engine.h"
#include "client/source_event.h"
#include "client/transport_impl.h"
#include "client/upgraded.h"

namespace trunkline {

namespace {

void set_and_wake(std::atomic<std::uint32_t>& word, std::uint32_t value) {
  word.store(value, std::memory_order_release);
  futex_wake_one(word);
}

enum : std::uint32_t { waiting = 0, granted_word = 1, failed_word = 2, done_word = 3 };

// How long a server that wanted HTTP/1.1 gets it, before HTTP/2 is tried again.
constexpr auto http1_memory = std::chrono::minutes(10);

// A clock is read once a turn, not for each of the hundreds of requests that may be started in it.
TimePoint time_here() {
  const net::Loop* const loop = net::Loop::current();
  return loop != nullptr ? loop->now() : Clock::now();
}

TimePoint after(TimePoint start, Duration limit) { return limit > Duration::zero() ? start + limit : never; }

}  // namespace

Call::Call(std::shared_ptr<TransportImpl> transport, Request&& request, Kind kind)
    : transport_(std::move(transport)),
      request_(std::move(request)),
      kind_(kind),
      started_(time_here()),
      result_(std::in_place),
      response_(*result_) {}

Call::~Call() = default;

const ResponseLimits& Call::response_limits() const { return transport_->options().response; }

// Everything that can be refused is refused here, before a socket is touched.
std::optional<Error> Call::prepare() {
  const Options& options = transport_->options();
  Waiter::timeouts = request_.timeouts() != nullptr ? request_.timeouts() : &options.timeouts;
  if (request_.timeouts() != nullptr || request_.total_timeout()) {
    if (auto unsound = check_times()) return unsound;
  }
  total_deadline_ = after(started_, request_.total_timeout().value_or(limits().total));
  body_limit_ = request_.body_limit().value_or(options.response.body_bytes);
  if (transport_->closed()) {
    return Error(ErrorCode::transport_closed, Phase::prepare, "the transport has been drained");
  }
  if (const Error* unusable = transport_->unusable()) return *unusable;
  Result<std::shared_ptr<const Target>> target = transport_->target_of(request_.url());
  if (!target) return std::move(target).error();
  target_ = std::move(*target);
  route_ = target_->route.get();
  if (target_->may_be_http2) {
    if ((http1_asked() || request_.wants_upgrade()) && !use_http1()) {
      return Error(ErrorCode::unsupported, Phase::prepare, "no HTTP/1.1 connection can be had for this request");
    }
  }
  pool_ = transport_->pool().get();
  if (target_->websocket && !request_.wants_upgrade()) {
    return Error(ErrorCode::unsupported, Phase::prepare, "a WebSocket URL needs an upgrade, not a plain request");
  }
  if (std::string_view(request_.method()) == "CONNECT") {
    return Error(ErrorCode::invalid_request, Phase::prepare,
                 "CONNECT is between a client and its proxy: set Options::proxy");
  }
  if (auto ok = http1::check_head(request_.method(), request_.headers()); !ok) return ok.error();
  if (!request_.headers().empty() || request_.wants_upgrade()) {
    std::optional<std::uint64_t> length;
    if (request_.has_body()) length = request_.source() ? request_.source()->length() : request_.body().size();
    if (auto ok = http1::check_framing(request_.headers(), request_.has_body(), length, request_.wants_upgrade());
        !ok) {
      return ok.error();
    }
    if (const auto connection = request_.headers().get("Connection")) {
      wants_close_ = equals_ignore_case(*connection, "close");
    }
  }
  accepts_codings_ = options.decompress && accepts_codings(request_);
  idempotent_ = request_.is_idempotent() || is_idempotent(request_.method());
  Waiter::limits = &options.limits;
  Waiter::deadline = std::min(after(started_, limits().queue), total_deadline_);
  Waiter::fresh = request_.wants_fresh_connection();
  return std::nullopt;
}

// Those of a request are not checked with the options. Added to the present time they must not overflow.
std::optional<Error> Call::check_times() const {
  Options options;
  options.timeouts = limits();
  if (const auto total = request_.total_timeout()) {
    if (*total < Duration::zero()) {
      return Error(ErrorCode::timeout_total, Phase::prepare, "the time limit of the whole request has passed already");
    }
    options.timeouts.total = *total;
  }
  if (auto sound = check(options); !sound) {
    return Error(ErrorCode::invalid_request, Phase::prepare, sound.error().message);
  }
  return std::nullopt;
}

// The server has said that it wants HTTP/1.1.
bool Call::http1_asked() const {
  const auto& destination = static_cast<const Destination&>(*target_->route->attachment);
  return destination.http1_until.load() > started_.time_since_epoch().count();
}

// For requests that HTTP/2 has no word for, and servers that want them otherwise.
bool Call::use_http1() {
  Result<std::shared_ptr<pool::Route>> route = transport_->http1_route(*target_);
  if (!route || route->get() == route_) return false;
  http1_route_ = std::move(*route);
  route_ = http1_route_.get();
  return true;
}

http1::RequestHead Call::head() const {
  http1::RequestHead head;
  head.method = request_.method();
  head.target = target_->request_target;
  head.host = target_->url.authority();
  head.headers = &request_.headers();
  head.user_agent = transport_->options().user_agent;
  if (accepts_codings_) head.accept_encoding = accepted_codings;
  if (accepts_codings_ == transport_->options().decompress) head.usual = target_->usual_start;
  head.extra = target_->extra_head;
  head.upgrade = request_.wants_upgrade();
  head.has_body = request_.has_body();
  if (head.has_body) {
    head.content_length = request_.source() ? request_.source()->length() : request_.body().size();
    head.expect_continue = request_.wants_continue() && head.content_length != 0U;
  }
  return head;
}

http1::RequestFraming Call::framing() const {
  return {.head = std::string_view(request_.method()) == "HEAD", .connect = false, .upgrade = request_.wants_upgrade()};
}

void Call::trace(TraceEvent::Kind kind, std::string detail) {
  if (!request_.tracer()) return;
  TraceEvent event;
  event.kind = kind;
  event.at = Clock::now() - started_;
  event.connection = response_.connection.id;
  event.detail = std::move(detail);
  request_.tracer()->on_event(event);
}

// --- with a callback

void Call::start(Callback<void(Result<Response>)>&& done) {
  done_whole_ = std::move(done);
  launch();
}

void Call::start_stream(Callback<void(Result<ResponseStream>)>&& done) {
  stream_callbacks().opened = std::move(done);
  launch();
}

void Call::launch() {
  self_ = shared_from_this();
  transport_->call_started();
  counted_ = true;
  net::Loop* loop = net::Loop::current();
  const bool here = loop != nullptr;
  if (!here) loop = &Engine::instance().next_loop();
  home_.store(loop, std::memory_order_relaxed);
  std::optional<Error> error = prepare();
  if (error || !here) {
    loop->post([self = self_, error = std::move(error)]() mutable {
      if (error) {
        self->complete(std::move(error));
      } else if (!self->done_) {  // cancelled meanwhile
        // Whoever waited in the pool when the server asked for HTTP/1.1 was turned away then. This one was still on its
        // way, and would ask for HTTP/2 on a connection of its own.
        const bool is_late = self->target_->may_be_http2 && self->route_ == self->target_->route.get();
        if (is_late && self->http1_asked()) (void)self->use_http1();
        self->attempt_on_loop();
      }
    });
    return;
  }
  starting_ = true;
  attempt_on_loop();
  starting_ = false;
}

// As the pool's; but a connection that a caller has just given back, and the peer closed since, is no connection.
pool::Route::Outcome Call::acquire(TimePoint now, pool::Entry*& entry) {
  for (;;) {
    const pool::Route::Outcome outcome = pool_->acquire(*route_, *this, now, entry);
    if (outcome != pool::Route::Outcome::granted || static_cast<PooledConnection&>(*entry).still_there())
      return outcome;
    pool_->release(*route_, *entry, false, CloseReason::peer_closed_idle, *Waiter::limits, now);
    entry = nullptr;
  }
}

void Call::attempt_on_loop() {
  pool::Entry* entry = nullptr;
  switch (acquire(home().now(), entry)) {
    case pool::Route::Outcome::granted:
      granted(static_cast<PooledConnection&>(*entry));
      return;
    case pool::Route::Outcome::queued:
      if (traced()) trace(TraceEvent::queued, std::string(to_string(Waiter::miss)));
      if (Waiter::deadline != never) {
        timer_used_ = true;
        home().set_timer(*this, Waiter::deadline);
      }
      return;
    case pool::Route::Outcome::queue_full:
      complete(wait_error(ErrorCode::queue_full, nullptr));
      return;
    case pool::Route::Outcome::down:
      complete(wait_error(ErrorCode::route_down, route_->last_error_locked()));
      return;
    case pool::Route::Outcome::closed:
      complete(wait_error(ErrorCode::transport_closed, nullptr));
      return;
  }
}

void Call::granted(PooledConnection& connection) {
  if (blocking_) {
    granted_ = &connection;
    set_and_wake(wake_, granted_word);
    return;
  }
  net::Loop& from = home();
  if (from.on_this_thread() && &connection.loop() == &from) {
    begin_on(connection);
    return;
  }
  // The call moves to its connection's loop; its timer is left behind first.
  from.post([self = shared_from_this(), &connection] {
    self->cancel_queue_timer();
    if (&connection.loop() == &self->home()) {
      self->begin_on(connection);
      return;
    }
    self->home_.store(&connection.loop(), std::memory_order_relaxed);
    connection.loop().post([self, &connection] { self->begin_on(connection); });
  });
}

void Call::wait_failed(pool::Route&, ErrorCode code, const std::shared_ptr<const Error>& cause) {
  Error error = wait_error(code, cause);
  if (cause && cause->code == ErrorCode::http1_required) error.code = ErrorCode::http1_required;
  if (blocking_) {
    error_ = std::make_unique<Error>(std::move(error));
    set_and_wake(wake_, failed_word);
    return;
  }
  home().post([self = shared_from_this(), error = std::move(error)]() mutable {
    if (!self->done_) self->on_failure(std::move(error));
  });
}

void Call::on_timer() {
  if (done_ || carrier_ != nullptr) return;
  if (!pool_->cancel(*route_, *this, home().now())) return;  // a grant or a failure is on its way
  complete(wait_error(home().now() >= total_deadline_ ? ErrorCode::timeout_total : ErrorCode::timeout_queue,
                      route_->last_error_locked()));
}

void Call::cancel_queue_timer() {
  if (std::exchange(timer_used_, false)) home().cancel_timer(*this);
}

void Call::begin_on(PooledConnection& connection) {
  cancel_queue_timer();
  if (cancelled_) {
    pool_->release(*route_, connection, true, CloseReason::cancelled, *Waiter::limits, home().now());
    if (!done_) complete(Error(ErrorCode::cancelled, Phase::queue, "the request was cancelled"));
    return;
  }
  // A body source that fails at once ends the call, and perhaps its last handle.
  const auto keep = request_.source() ? shared_from_this() : nullptr;
  connection.begin(*this, blocking_);
}

void Call::on_begin(Carrier& carrier, const PooledConnection& connection) {
  carrier_ = &carrier;
  const bool reused = on_reused();
  const net::Dialled& dialled = connection.dialled();
  ConnectionInfo& info = response_.connection;
  info.id = connection.id;
  info.reused = reused;
  info.reuse_miss = Waiter::miss;
  info.dial_reason = connection.dial_reason;
  info.requests = connection.carried();
  info.address = dialled.address;
  info.protocol = connection.protocol();
  info.tls = connection.tls();
  RequestTimes& times = response_.times;
  times.queue = (blocking_ ? Clock::now() : home().now()) - started_;
  if (times.queue < Duration::zero()) times.queue = Duration::zero();  // a turn's clock is a little behind
  if (!reused) {
    times.resolve = dialled.resolve;
    times.connect = dialled.connect;
    times.proxy = dialled.proxy;
    times.tls = dialled.handshake;
  }
  if (traced()) trace(TraceEvent::connected, reused ? "reused" : std::string(to_string(Waiter::miss)));
}

void Call::cancel() {
  net::Loop& loop = home();
  loop.post([self = shared_from_this(), &loop] {
    if (&self->home() != &loop) {
      self->cancel();  // it has moved to its connection's loop
    } else {
      self->cancel_now();
    }
  });
}

void Call::cancel_now() {
  if (cancelled_ || body_done_ || (done_ && carrier_ == nullptr)) return;
  cancelled_ = true;
  Error error(ErrorCode::cancelled, carrier_ != nullptr ? Phase::first_byte : Phase::queue,
              "the request was cancelled");
  if (carrier_ != nullptr) {
    error.maybe_processed = MaybeProcessed::unknown;
    error.address = response_.connection.address;
    std::exchange(carrier_, nullptr)->abort(CloseReason::cancelled);
    if (head_delivered_) {
      error_ = std::make_unique<Error>(std::move(error));
      fill(*error_);
      count_end();
      if (reading_) finish_read();
    } else {
      complete(std::move(error));
    }
    return;
  }
  if (pool_ && route_ && pool_->cancel(*route_, *this, home().now())) complete(std::move(error));
  // Otherwise a grant is on its way: begin_on passes it on.
}

// --- blocking

Result<Response> Call::run_whole() {
  run_blocking();
  if (error_) return std::move(*error_);
  return std::move(result_);
}

Result<ResponseStream> Call::run_stream() {
  run_blocking();
  if (error_ && !head_delivered_) return std::move(*error_);
  return make_stream();
}

void Call::run_blocking() {
  blocking_ = true;
  transport_->call_started();
  counted_ = true;
  if (net::Loop::current() != nullptr) {
    complete(Error(ErrorCode::invalid_request, Phase::prepare,
                   "a blocking call inside a callback would stop the loop: use start() there"));
    return;
  }
  if (auto error = prepare()) {
    complete(std::move(error));
    return;
  }
  do {
    again_ = false;
    wake_.store(waiting, std::memory_order_relaxed);
    pool::Entry* entry = nullptr;
    switch (acquire(Clock::now(), entry)) {
      case pool::Route::Outcome::granted:
        break;
      case pool::Route::Outcome::queued:
        if (traced()) trace(TraceEvent::queued, std::string(to_string(Waiter::miss)));
        entry = wait_for_grant();
        break;
      case pool::Route::Outcome::queue_full:
        complete(wait_error(ErrorCode::queue_full, nullptr));
        break;
      case pool::Route::Outcome::down:
        complete(wait_error(ErrorCode::route_down, route_->last_error_locked()));
        break;
      case pool::Route::Outcome::closed:
        complete(wait_error(ErrorCode::transport_closed, nullptr));
        break;
    }
    if (entry == nullptr) {
      if (again_) continue;
      return;
    }
    auto& connection = static_cast<PooledConnection&>(*entry);
    if (!connection.may_be_driven_by_caller()) {
      wait_on_loop_of(connection);
      return;
    }
    begin_on(connection);
    if (carrier_ != nullptr) carrier_->drive(*this);  // sending may have failed, and the connection be gone
  } while (again_);
}

// A connection that carries others as well is its loop's alone.
void Call::wait_on_loop_of(PooledConnection& connection) {
  blocking_ = false;
  waited_for_ = true;
  self_ = shared_from_this();
  home_.store(&connection.loop(), std::memory_order_relaxed);
  wake_.store(waiting, std::memory_order_relaxed);
  connection.loop().post([self = self_, &connection] { self->begin_on(connection); });
  while (wake_.load(std::memory_order_acquire) == waiting) futex_wait(wake_, waiting, never);
}

// Null: the call has failed.
PooledConnection* Call::wait_for_grant() {
  TimePoint until = Waiter::deadline;
  for (;;) {
    switch (wake_.load(std::memory_order_acquire)) {
      case granted_word:
        return std::exchange(granted_, nullptr);
      case failed_word:
        on_failure(std::move(*std::exchange(error_, nullptr)));
        return nullptr;
      default:
        break;
    }
    if (Clock::now() >= until) {
      if (pool_->cancel(*route_, *this, Clock::now())) {
        complete(wait_error(Clock::now() >= total_deadline_ ? ErrorCode::timeout_total : ErrorCode::timeout_queue,
                            route_->last_error_locked()));
        return nullptr;
      }
      until = never;  // the pool has decided and is about to say so
    }
    futex_wait(wake_, waiting, until);
  }
}

// --- the connection's word

void Call::on_informational(int status) {
  if (traced()) trace(TraceEvent::informational, std::to_string(status));
}

void Call::on_first_byte() {
  response_.times.first_byte = (blocking_ ? Clock::now() : home().now()) - started_;
  if (traced()) trace(TraceEvent::first_byte, {});
}

void Call::on_head(int status, std::string&& reason, Headers&& headers, std::optional<std::uint64_t> length) {
  response_.status = status;
  response_.reason = std::move(reason);
  response_.headers = std::move(headers);
  response_.retries = retries_;
  head_ready_ = true;
  announced_ = length.value_or(0);
  if (accepts_codings_ && response_.headers.contains("Content-Encoding")) begin_decoding();
}

Error Call::refusal() const {
  if (decoding_ && decoding_->error()) return *decoding_->error();
  return {ErrorCode::limit_exceeded, Phase::body,
          "the response's body is longer than the limit of " + std::to_string(body_limit()) + " bytes"};
}

bool Call::on_data(std::string_view data) {
  if (decoding_) [[unlikely]]
    return on_coded(data);
  if (kind_ == Kind::whole) {
    if (data.size() > body_limit_ - response_.body.size()) return false;
    // When the first of it is here: of hundreds of responses on one connection, most have only a head. Never on the
    // peer's word alone: a large body grows as it comes.
    if (response_.body.empty() && announced_ > data.size()) {
      response_.body.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(announced_, 256 * 1024)));
    }
    response_.body.append(data);
    return true;
  }
  std::copy(data.begin(), data.end(), into_.begin());
  into_ = into_.subspan(data.size());
  read_bytes_ += data.size();
  return true;
}

void Call::on_pause() {
  if (kind_ == Kind::whole) {
    // A 101 that nobody will take over.
    std::exchange(carrier_, nullptr)->abort(CloseReason::upgraded);
    body_done_ = true;
    complete(std::nullopt);
    return;
  }
  if (!head_delivered_) {
    if (head_ready_) complete(std::nullopt);
  } else if (read_bytes_ > 0) {
    if (blocking_ || reading_) finish_read();
  }
}

void Call::on_end(Headers&& trailers) {
  carrier_ = nullptr;
  body_done_ = true;
  response_.trailers = std::move(trailers);
  response_.times.total = (blocking_ ? Clock::now() : home().now()) - started_;
}

void Call::on_released() {
  if (kind_ == Kind::stream && head_delivered_) {
    count_end();
    finish_read();
  } else if (kind_ == Kind::whole && decoding_ && !decoding_->finish()) {
    complete(decoding_error());
  } else {
    complete(std::nullopt);
  }
}

bool Call::may_repeat() {
  return retries_ == 0 && idempotent_ && transport_->options().retry_stale && !request_.wants_fresh_connection() &&
         !request_.source();
}

void Call::on_lost(const Attempt& attempt) {
  carrier_ = nullptr;
  attempt_ = attempt;
  attempt_.idempotent = idempotent_;
  attempt_.retries = retries_;
  attempt_.replayable = true;
}

// Whether it may go out once more, and if so, what must be different then.
bool Call::may_repeat_after(const Error& error) {
  const TimePoint now = Clock::now();
  if (now >= total_deadline_ || (request_.source() && !request_.source()->rewind())) return false;
  if (error.code == ErrorCode::http1_required) {
    const Options& options = transport_->options();
    if (options.protocol != Protocol::automatic && !options.http2.fall_back_to_http1) return false;
    auto& destination = static_cast<Destination&>(*target_->route->attachment);
    const auto until = (now + http1_memory).time_since_epoch().count();
    if (destination.http1_until.exchange(until) <= now.time_since_epoch().count()) {
      pool_->turn_away(*target_->route, std::make_shared<const Error>(error), now);  // they all follow
    }
    return route_ == target_->route.get() && use_http1();
  }
  if (!transport_->options().retry_stale || !may_retry(attempt_)) return false;
  // What the server has not touched costs it nothing.
  if (attempt_.unprocessed) {
    if (!attempt_.pulled_back) transport_->count_retry();
  } else if (!transport_->spend_retry()) {
    return false;
  }
  Waiter::returning = attempt_.unprocessed;
  if (attempt_.connection != 0) {
    Waiter::avoid = attempt_.connection;
  } else {
    // On a connection of its own: another idle one may be just as dead.
    Waiter::fresh = true;
    Waiter::miss = ReuseMiss::stale_on_write;
  }
  const bool pulled_back = attempt_.pulled_back;
  attempt_ = {};  // if no connection comes about, there was none
  attempt_.pulled_back = pulled_back;
  return true;
}

void Call::on_failure(Error error) {
  if (!head_ready_ && may_repeat_after(error)) {
    if (traced()) trace(TraceEvent::retry, error.message);
    if (!std::exchange(attempt_.pulled_back, false)) {  // then it waits on, as if it had never left the queue
      ++retries_;
      Waiter::deadline = std::min(after(Clock::now(), limits().queue), total_deadline_);
    }
    if (blocking_) {
      again_ = true;
    } else {
      attempt_on_loop();
    }
    return;
  }
  fill(error);
  if (kind_ == Kind::stream && head_delivered_) {
    error_ = std::make_unique<Error>(std::move(error));
    count_end();
    if (blocking_ || reading_) finish_read();
    return;
  }
  complete(std::move(error));
}

// --- the result

Error Call::wait_error(ErrorCode code, const std::shared_ptr<const Error>& cause) const {
  const std::string& name = route_->name();
  const std::string why = cause ? "; the last dial failed: " + cause->message : std::string();
  std::string message;
  switch (code) {
    case ErrorCode::queue_full:
      message = std::to_string(Waiter::limits->queue_per_host) +
                " requests already wait for a connection: send fewer at once, or raise limits.queue_per_host";
      break;
    case ErrorCode::timeout_queue:
      message = "no connection came in time" + why;
      break;
    case ErrorCode::timeout_total:
      message = "the time limit of the whole request has passed in the queue" + why;
      break;
    case ErrorCode::transport_closed:
      message = "the transport has been shut down";
      break;
    case ErrorCode::route_down:
      if (cause && (cause->code == ErrorCode::no_ports || cause->code == ErrorCode::no_sockets)) return *cause;
      message = "the last dials all failed and the next is not due yet" + why;
      break;
    default:
      if (cause) return *cause;
      message = "no connection came about";
      break;
  }
  Error error(code, Phase::queue, std::move(message));
  error.route = name;
  if (cause) error.address = cause->address;
  return error;
}

void Call::fill(Error& error) const {
  error.elapsed = Clock::now() - started_;
  if (error.route.empty() && route_) error.route = route_->name();
}

// The callback's, or the blocking caller's, result is known: of the whole response, or of a stream's head.
void Call::complete(std::optional<Error> error) {
  done_ = true;
  if (error) {
    fill(*error);
    error_ = std::make_unique<Error>(std::move(*error));
  } else if (kind_ == Kind::stream) {
    head_delivered_ = true;
  }
  if (error_ || kind_ == Kind::whole || body_done_) count_end();
  satisfied_ = true;
  if (blocking_) return;
  if (waited_for_) {
    waited_for_ = false;
    cancel_queue_timer();
    const std::shared_ptr<Call> keep = std::move(self_);
    set_and_wake(wake_, done_word);
    return;
  }
  if (starting_) {
    home().post([self = shared_from_this()] { self->deliver(); });
  } else {
    deliver();
  }
}

void Call::deliver() {
  cancel_queue_timer();
  const std::shared_ptr<Call> keep = std::move(self_);
  if (kind_ == Kind::whole) {
    if (error_) {
      done_whole_(std::move(*error_));
    } else {
      done_whole_(std::move(result_));
    }
    done_whole_.reset();  // what it holds may hold this call
  } else {
    auto done = std::move(stream_callbacks().opened);
    if (error_ && !head_ready_) {
      done(std::move(*error_));
    } else {
      done(make_stream());
    }
  }
}

void Call::count_end() {
  if (!std::exchange(counted_, false)) return;
  if (traced())
    trace(TraceEvent::done, error_ ? std::string(to_string(error_->code)) : std::to_string(response_.status));
  if (error_) {
    transport_->call_failed(error_->kind);
  } else {
    transport_->call_completed();
  }
}

ResponseStream Call::make_stream() {
  return ResponseStream(std::move(static_cast<ResponseHead&>(response_)), shared_from_this());
}

// --- an open stream

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
  std::atomic<std::uint32_t> word{waiting};
  start_read(into, [&](Result<std::size_t> got) {
    result.emplace(std::move(got));
    set_and_wake(word, granted_word);
  });
  while (word.load(std::memory_order_acquire) == waiting) futex_wait(word, waiting, never);
  return std::move(*result);
}

void Call::start_read(std::span<char> into, Callback<void(Result<std::size_t>)> done) {
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
  if ((decoding_ && !into_.empty() && read_held()) || carrier_ == nullptr || into_.empty()) {
    finish_read();
    return;
  }
  if (blocking_) {  // it was opened by a blocking call, and is now the loop's
    blocking_ = false;
    carrier_->hand_to_loop();
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
void Call::abandon() {
  net::Loop* loop = home_.load(std::memory_order_relaxed);
  if (blocking_) {  // nobody else touches it yet
    if (carrier_ == nullptr) return;
    loop = &carrier_->loop();
  }
  loop->post([self = shared_from_this(), loop] {
    if (!self->blocking_ && &self->home() != loop) {
      self->abandon();  // it has moved to its connection's loop
      return;
    }
    Carrier* const carrier = std::exchange(self->carrier_, nullptr);
    if (carrier == nullptr) return;  // it ended meanwhile
    if (carrier->in_caller_mode()) carrier->hand_to_loop();
    self->count_end();
    carrier->discard_rest();
    if (!self->reading_) return;
    self->error_ =
        std::make_unique<Error>(ErrorCode::cancelled, Phase::body, "the response was dropped while it was being read");
    self->finish_read();
  });
}

Result<UpgradedConnection> Call::take_connection() {
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
    std::atomic<std::uint32_t> word{waiting};
    home().post([&] {
      take();
      set_and_wake(word, granted_word);
    });
    while (word.load(std::memory_order_acquire) == waiting) futex_wait(word, waiting, never);
  }
  if (connection == nullptr) return Error(ErrorCode::cancelled, Phase::body, "the connection has ended meanwhile");
  return UpgradedConnection(std::make_unique<UpgradedConnection::Impl>(*connection));
}

const std::shared_ptr<SourceEvent>& Call::source_event() {
  if (!source_event_) source_event_ = std::make_shared<SourceEvent>();
  return source_event_;
}

}  // namespace trunkline
