// Completion tokens for Client: callbacks, boost::asio::use_awaitable, use_future, with per-operation cancellation.
// The only header that needs Boost.Asio, and only from those who include it.
#pragma once

#include <memory>
#include <mutex>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/system_executor.hpp>

#include <trunkline/client.hpp>

namespace trunkline {
namespace asio_adapter {

// What the cancellation slot of an operation holds. Once the operation is over it does nothing: the response that it
// read from may still be in use.
struct Cancellation {
  void begin(CallHandle started) {
    std::lock_guard lock(mutex);
    if (over) return;
    call = std::move(started);
    if (asked) call.cancel();
  }
  void ask() {
    std::lock_guard lock(mutex);
    asked = true;
    call.cancel();
  }
  void end() {
    std::lock_guard lock(mutex);
    over = true;
    call = CallHandle();
  }

  std::mutex mutex;
  CallHandle call;
  bool asked = false;
  bool over = false;
};

// Calls the handler on its own executor, which is kept busy until then.
template <class T, class Handler, class Start>
void initiate(Handler handler, Start start) {
  namespace asio = boost::asio;
  auto executor = asio::get_associated_executor(handler, asio::system_executor());
  auto slot = asio::get_associated_cancellation_slot(handler);
  // The slot is filled before the operation starts: it may be over, and its coroutine gone, when start() returns.
  auto cancellation = slot.is_connected() ? std::make_shared<Cancellation>() : nullptr;
  auto complete = [work = asio::make_work_guard(executor), handler = std::move(handler),
                   cancellation](Result<T> result) mutable {
    if (cancellation) cancellation->end();
    auto own = work.get_executor();
    asio::post(own, [handler = std::move(handler), result = std::move(result)]() mutable {
      std::move(handler)(std::move(result));
    });
    work.reset();
  };
  if (!cancellation) {
    start(std::move(complete));
    return;
  }
  slot.assign([cancellation](asio::cancellation_type) { cancellation->ask(); });
  cancellation->begin(start(std::move(complete)));
}

}  // namespace asio_adapter

template <class Token>
auto Client::async_send(Request request, Token&& token) const {
  return boost::asio::async_initiate<Token, void(Result<Response>)>(
      [round_tripper = round_tripper_](auto handler, Request moved) {
        asio_adapter::initiate<Response>(
            std::move(handler), [&](auto done) { return round_tripper->start(std::move(moved), std::move(done)); });
      },
      token, std::move(request));
}

template <class Token>
auto Client::async_open(Request request, Token&& token) const {
  return boost::asio::async_initiate<Token, void(Result<ResponseStream>)>(
      [round_tripper = round_tripper_](auto handler, Request moved) {
        asio_adapter::initiate<ResponseStream>(std::move(handler), [&](auto done) {
          return round_tripper->start_open(std::move(moved), std::move(done));
        });
      },
      token, std::move(request));
}

template <class Token>
auto Client::async_get(std::string url, Token&& token) const {
  return async_send(trunkline::get(std::move(url)), std::forward<Token>(token));
}

// Reads more of an open response; `stream` and `into` must stay until the token completes. Cancelled, the
// response ends.
template <class Token>
auto async_read(ResponseStream& stream, std::span<char> into, Token&& token) {
  return boost::asio::async_initiate<Token, void(Result<std::size_t>)>(
      [](auto handler, ResponseStream* from, std::span<char> buffer) {
        asio_adapter::initiate<std::size_t>(std::move(handler),
                                            [&](auto done) { return from->start_read(buffer, std::move(done)); });
      },
      token, &stream, into);
}

}  // namespace trunkline
