// What the tests of HTTP/2 have in common: options, many calls at once, and the server's word on them.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "support/http_test.h"

namespace trunkline::test {

// HTTP/2 with prior knowledge in clear, and by ALPN over TLS; test_options() otherwise.
Options h2c_options();
Options h2_options();
inline Options h2_options(bool tls) { return tls ? h2_options() : h2c_options(); }
inline const Certificate* certificate_if(bool tls) { return tls ? &server_certificate() : nullptr; }

// A call under way.
struct H2Call {
  std::future<Result<Response>> reply;
  CallHandle handle;
};
H2Call start(const Client& client, Request request);

// make(0), make(1), ... make(count - 1), all started before the first is waited for.
std::vector<Result<Response>> all_at_once(const Client& client, int count, const std::function<Request(int)>& make);
// The same, but at most so many at a time: each that ends starts the next.
std::vector<Result<Response>> keep_busy(const Client& client, int at_a_time, int count,
                                        const std::function<Request(int)>& make);

// Every one a 200 whose body is its own path: body(i).
void expect_all_good(const std::vector<Result<Response>>& replies, const std::function<std::string(int)>& body);
// "/17", for all_at_once and expect_all_good.
std::string numbered(int i);

// `code` by its name; the kind must be the code's.
::testing::AssertionResult fails_as(const Error* error, std::string_view code);
template <class T>
::testing::AssertionResult fails_as(const Result<T>& result, std::string_view code) {
  return fails_as(result ? nullptr : &result.error(), code);
}

// The most memory that this process had resident since this was made, beyond what it had then.
class MemoryWatch {
 public:
  MemoryWatch();
  long peak_growth_kb() const;

 private:
  long before_;
};

}  // namespace trunkline::test
