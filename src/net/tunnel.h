// What a client and its proxy say to each other before the connection leads on to the target. No I/O, no clock: bytes
// in, bytes out. connect_tunnel.h speaks HTTP CONNECT, socks5.h SOCKS5.
#pragma once

#include <string>
#include <string_view>

#include <trunkline/error.hpp>

namespace trunkline::net {

class TunnelHandshake {
 public:
  enum class Step : unsigned char {
    need_more,  // all input was taken; send output(), then feed what comes
    done,       // what is left of the input comes from the far end
    failed,     // see code() and failure(); the connection must be closed
  };

  virtual ~TunnelHandshake() = default;

  // Takes bytes from the front of `input`, none of them beyond the proxy's last word.
  virtual Step feed(std::string_view& input) = 0;

  // What is to be sent and was not taken yet. It may hold credentials: never printed.
  std::string_view output() const { return std::string_view(output_).substr(taken_); }
  void take_output(std::size_t size) {
    taken_ += size;
    if (taken_ < output_.size()) return;
    output_.clear();
    taken_ = 0;
  }

  Step step() const { return step_; }
  // After `failed`: proxy_auth when it is about credentials, otherwise proxy_failed; and the end of a sentence that
  // begins with the proxy's name: "it answered 403 Forbidden".
  ErrorCode code() const { return code_; }
  const std::string& failure() const { return failure_; }
  // After `failed`: the proxy could not reach the address that it was asked for; it may reach another one of that name.
  virtual bool unreachable() const { return false; }

 protected:
  Step fail(std::string why, ErrorCode code = ErrorCode::proxy_failed) {
    output_.clear();
    taken_ = 0;
    failure_ = std::move(why);
    code_ = code;
    return step_ = Step::failed;
  }

  std::string output_;
  Step step_ = Step::need_more;

 private:
  std::size_t taken_ = 0;
  std::string failure_;
  ErrorCode code_ = ErrorCode::proxy_failed;
};

}  // namespace trunkline::net
