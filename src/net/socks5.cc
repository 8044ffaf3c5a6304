#include "net/socks5.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

namespace trunkline::net {
namespace {

constexpr char version = 5;
constexpr char login_version = 1;
constexpr std::size_t field_limit = 255;  // lengths are one byte

enum Method : unsigned char { no_login = 0, user_and_password = 2, none_acceptable = 0xFF };
enum AddressType : unsigned char { ipv4 = 1, name = 3, ipv6 = 4 };

unsigned number(char byte) { return static_cast<unsigned char>(byte); }

std::string reason(unsigned reply) {
  switch (reply) {
    case 1:
      return "it reports a general failure: its own log says more";
    case 2:
      return "its rules do not allow this destination";
    case 3:
      return "it finds the network of the destination unreachable";
    case 4:
      return "it finds the host unreachable, or cannot resolve its name: see that the name is right, and known where "
             "the proxy runs";
    case 5:
      return "the destination refused the proxy's connection: see whether the server is up and its port is right";
    case 6:
      return "its connection to the destination timed out on the way (TTL expired)";
    case 7:
      return "it does not support CONNECT";
    case 8:
      return "it does not support this kind of address: socks5h:// sends the name instead, socks5:// the address";
    default:
      return "it answered with the unknown code " + std::to_string(reply);
  }
}

}  // namespace

Socks5::Socks5(std::string_view host, std::uint16_t port, const Credentials& credentials) {
  if (credentials.user.size() > field_limit || credentials.password.size() > field_limit) {
    fail("SOCKS5 takes a user and a password of at most 255 bytes each", ErrorCode::proxy_auth);
    return;
  }
  request_ = {version, 1, 0};
  if (!append_address(host)) return;
  request_ += static_cast<char>(port >> 8);
  request_ += static_cast<char>(port & 0xFF);

  // Only what we can do is offered: a proxy may then not ask for anything else.
  output_ = {version, 1, no_login};
  if (credentials.user.empty()) return;
  output_ = {version, 2, no_login, user_and_password};
  login_ = {login_version, static_cast<char>(credentials.user.size())};
  login_ += credentials.user;
  login_ += static_cast<char>(credentials.password.size());
  login_ += credentials.password;
}

bool Socks5::append_address(std::string_view host) {
  const std::string text(host);
  std::array<char, 16> bytes{};
  if (text.find('\0') == std::string::npos) {
    if (inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) {
      request_ += static_cast<char>(ipv4);
      request_.append(bytes.data(), 4);
      return true;
    }
    if (inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) {
      request_ += static_cast<char>(ipv6);
      request_.append(bytes.data(), 16);
      return true;
    }
  }
  if (text.empty() || text.size() > field_limit) {
    fail("SOCKS5 takes a host name of 1 to 255 bytes");
    return false;
  }
  const auto is_plain = [](char c) { return c > ' ' && c < 0x7F; };
  if (!std::all_of(text.begin(), text.end(), is_plain)) {
    fail("the host holds bytes that must not stand in a name");
    return false;
  }
  request_ += static_cast<char>(name);
  request_ += static_cast<char>(text.size());
  request_ += text;
  return true;
}

// The length of the answer, as far as its bytes so far tell.
std::size_t Socks5::expected() const {
  if (state_ != State::reply) return 2;
  // The length of a name is in the fifth byte. Not read before the code is judged: some proxies send no more.
  if (answer_.size() < 2) return 2;
  if (answer_.size() < 5) return 5;
  switch (number(answer_[3])) {
    case ipv4:
      return 4 + 4 + 2;
    case ipv6:
      return 4 + 16 + 2;
    default:
      return 4 + 1 + number(answer_[4]) + 2;
  }
}

TunnelHandshake::Step Socks5::feed(std::string_view& input) {
  while (step_ == Step::need_more) {
    const std::size_t wanted = expected();
    if (answer_.size() < wanted) {
      if (input.empty()) return step_;
      const std::size_t taken = std::min(wanted - answer_.size(), input.size());
      answer_ += input.substr(0, taken);
      input.remove_prefix(taken);
      // A byte is judged as soon as it can be: whoever speaks another protocol may not send a second one.
      if (number(answer_[0]) != (state_ == State::login ? 1U : 5U)) {
        if (state_ == State::login) return fail("its answer to the credentials is not of RFC 1929");
        return fail(answer_[0] == 'H' ? "it speaks HTTP, not SOCKS5: write http:// in front of it"
                                      : "its answer is not SOCKS5");
      }
      if (answer_.size() < wanted) return step_;
    }
    switch (state_) {
      case State::method:
        judge_method();
        break;
      case State::login:
        judge_login();
        break;
      case State::reply:
        judge_reply();
        break;
    }
  }
  return step_;
}

TunnelHandshake::Step Socks5::expect(State state, std::string_view request) {
  state_ = state;
  answer_.clear();
  output_ += request;
  return step_;
}

TunnelHandshake::Step Socks5::judge_method() {
  switch (number(answer_[1])) {
    case no_login:
      return expect(State::reply, request_);
    case user_and_password:
      if (login_.empty()) break;
      return expect(State::login, login_);
    case none_acceptable:
      return fail(login_.empty() ? "it wants credentials" : "it accepts neither user and password nor no login",
                  ErrorCode::proxy_auth);
    default:
      break;
  }
  return fail("it chose a way of logging in that was not offered");
}

TunnelHandshake::Step Socks5::judge_login() {
  if (answer_[1] != 0) return fail("it refused the credentials", ErrorCode::proxy_auth);
  return expect(State::reply, request_);
}

// Called with two bytes, with five and with all of them. The third is reserved, and not looked at.
TunnelHandshake::Step Socks5::judge_reply() {
  if (const unsigned reply = number(answer_[1]); reply != 0) {
    unreachable_ = reply >= 3 && reply != 7;  // not: a failure of its own, its rules, and what it never does
    return fail(reason(reply));
  }
  if (answer_.size() < 5) return step_;
  const unsigned type = number(answer_[3]);
  if (type != ipv4 && type != name && type != ipv6) return fail("its answer names an unknown kind of address");
  return answer_.size() == expected() ? step_ = Step::done : step_;
}

}  // namespace trunkline::net
