// What the tests of dialling share: targets, a dial that is waited for, and proxies.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "net/dial.h"
#include "net/peers.h"

namespace trunkline::net::peers {

// Dials and waits. Whatever comes of it, the rules that hold for every dial are checked.
inline Result<Dialled> dial_and_wait(Loop& loop, DialTarget target, DialLimits limits = {}) {
  target.route = target.secure ? "https://the-route" : "http://the-route";
  std::promise<Result<Dialled>> promise;
  auto future = promise.get_future();
  on(loop, [&] {
    auto inside = std::make_shared<bool>(true);
    dial(loop, std::make_shared<const DialTarget>(target), limits, [&, inside](Result<Dialled> result) {
      EXPECT_FALSE(*inside);
      EXPECT_TRUE(loop.on_this_thread());
      promise.set_value(std::move(result));
    });
    *inside = false;
  });
  EXPECT_TRUE(arrived(future));
  Result<Dialled> result = future.get();
  if (!result) {
    EXPECT_EQ(result.error().route, target.route);
    EXPECT_EQ(result.error().maybe_processed, MaybeProcessed::no);
  }
  return result;
}

inline DialTarget to(std::uint16_t port, const std::string& host = "127.0.0.1") {
  DialTarget target;
  target.host = target.tls_name = host;
  target.port = port;
  return target;
}

inline DialTarget secure(std::uint16_t port, const Authority& authority, const std::string& host = "127.0.0.1") {
  DialTarget target = to(port, host);
  target.secure = true;
  TlsMaterial material;
  material.system_roots = false;
  material.ca_pem = authority.pem();
  target.tls = std::make_shared<LazyTlsContext>(material);
  target.sessions = std::make_shared<TlsSessions>();
  return target;
}

inline DialTarget through(DialTarget target, std::uint16_t proxy_port, const std::string& authorization = "") {
  target.proxy = std::make_shared<const DialProxy>(DialProxy{"127.0.0.1", proxy_port, authorization});
  target.tunnel = true;
  return target;
}

// A proxy that reads one CONNECT and does what the test says with the connection.
class Proxy {
 public:
  explicit Proxy(std::function<void(Socket&)> serve) {
    thread_ = std::thread([this, serve = std::move(serve)] {
      Socket socket = listener_.accept();
      if (socket.fd() < 0) return;
      while (request_.find("\r\n\r\n") == std::string::npos) {
        const std::string more = socket.receive();
        if (more.empty()) return;
        request_ += more;
      }
      serve(socket);
    });
  }
  ~Proxy() {
    listener_.stop();
    thread_.join();
  }
  std::uint16_t port() const { return listener_.port(); }
  const std::string& request() {  // once the dial is over
    listener_.stop();
    if (thread_.joinable()) thread_.join();
    thread_ = std::thread([] {});
    return request_;
  }

 private:
  Listener listener_;
  std::string request_;
  std::thread thread_;
};

// Carries bytes between two sockets until one of them ends.
inline void tunnel(Socket& near, std::uint16_t port) {
  const Socket far(connect_to(port));
  forget_descriptor(far.fd());
  for (;;) {
    pollfd entries[] = {{near.fd(), POLLIN, 0}, {far.fd(), POLLIN, 0}};
    if (::poll(entries, 2, patience_ms) < 1) return;
    const bool outward = entries[0].revents != 0;
    const std::string bytes = (outward ? near : far).receive();
    if (bytes.empty()) return;
    (outward ? far : near).send(bytes);
  }
}

}  // namespace trunkline::net::peers
