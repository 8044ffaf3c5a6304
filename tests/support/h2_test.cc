#include "support/h2_test.h"

#include <fstream>
#include <sstream>

namespace trunkline::test {

Options h2c_options() {
  return test_options().derive([](Options& o) { o.protocol = Protocol::h2c; });
}

Options h2_options() {
  return tls_options().derive([](Options& o) { o.protocol = Protocol::http2; });
}

H2Call start(const Client& client, Request request) {
  auto promise = std::make_shared<std::promise<Result<Response>>>();
  H2Call call;
  call.reply = promise->get_future();
  call.handle =
      client.start(std::move(request), [promise](Result<Response> result) { promise->set_value(std::move(result)); });
  return call;
}

std::vector<Result<Response>> all_at_once(const Client& client, int count, const std::function<Request(int)>& make) {
  std::vector<H2Call> calls;
  for (int i = 0; i < count; ++i) calls.push_back(start(client, make(i)));
  std::vector<Result<Response>> replies;
  for (H2Call& call : calls) replies.push_back(call.reply.get());
  return replies;
}

std::vector<Result<Response>> keep_busy(const Client& client, int at_a_time, int count,
                                        const std::function<Request(int)>& make) {
  struct State {
    std::mutex mutex;
    std::vector<std::optional<Result<Response>>> replies;
    int next = 0;
    int left = 0;
    std::promise<void> done;
  } state;
  state.replies.resize(static_cast<std::size_t>(count));
  state.next = std::min(at_a_time, count);
  state.left = count;
  const std::function<void(int)> ask = [&](int i) {
    client.start(make(i), [&, i](Result<Response> result) {
      int following = count;
      bool last = false;
      {
        std::lock_guard lock(state.mutex);
        state.replies[static_cast<std::size_t>(i)] = std::move(result);
        if (state.next < count) following = state.next++;
        last = --state.left == 0;
      }
      if (following < count) ask(following);
      if (last) state.done.set_value();
    });
  };
  for (int i = 0; i < std::min(at_a_time, count); ++i) ask(i);
  if (count > 0) state.done.get_future().wait();
  std::vector<Result<Response>> replies;
  std::lock_guard lock(state.mutex);
  for (auto& reply : state.replies) replies.push_back(std::move(*reply));
  return replies;
}

void expect_all_good(const std::vector<Result<Response>>& replies, const std::function<std::string(int)>& body) {
  int bad = 0;
  for (std::size_t i = 0; i < replies.size(); ++i) {
    const bool good = replies[i] && replies[i]->status == 200 && replies[i]->body == body(static_cast<int>(i));
    if (good || ++bad > 3) continue;  // three say as much as two hundred
    ADD_FAILURE() << "request " << i << ": " << describe(replies[i]) << (replies[i] ? ", " + replies[i]->body : "");
  }
  EXPECT_EQ(bad, 0) << "of " << replies.size();
}

std::string numbered(int i) { return "/" + std::to_string(i); }

::testing::AssertionResult fails_as(const Error* error, std::string_view code) {
  if (error == nullptr) return ::testing::AssertionFailure() << "it succeeded instead of failing with " << code;
  if (to_string(error->code) == code && error->kind == kind_of(error->code) && !error->message.empty()) {
    return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure() << "it failed otherwise than with " << code << ": " << describe(*error);
}

namespace {
long memory_kb(std::string_view what) {
  std::istringstream status(read_file("/proc/self/status"));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(what)) return std::strtol(line.c_str() + what.size(), nullptr, 10);
  }
  return 0;
}
}  // namespace

MemoryWatch::MemoryWatch() : before_(memory_kb("VmRSS:")) {
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak is what there is now
}

long MemoryWatch::peak_growth_kb() const { return memory_kb("VmHWM:") - before_; }

}  // namespace trunkline::test
