#include <trunkline/resolve.hpp>

#include <algorithm>
#include <future>
#include <memory>
#include <utility>

#include "base/text.h"
#include "client/engine.h"
#include "client/time_limits.h"
#include "net/loop.h"
#include "net/resolver.h"

namespace trunkline {
namespace {

using Addresses = Result<std::vector<std::string>>;

// A look-up and its time limit, whichever ends first. Lives on its loop, held by the look-up and by the timer.
class Question final : public net::Timer, public std::enable_shared_from_this<Question> {
 public:
  Question(net::Loop& loop, std::string host, Callback<void(Addresses)> done)
      : loop_(loop), host_(std::move(host)), done_(std::move(done)) {}

  void start(Duration limit) {
    self_ = shared_from_this();
    loop_.set_timer(*this, after(loop_.now(), limit));
    net::resolve(loop_, host_, 0,
                 [self = self_](Result<std::vector<net::Address>> found) { self->on_answer(std::move(found)); });
  }

 private:
  void on_answer(Result<std::vector<net::Address>> found) {
    if (!found) return finish(std::move(found).error());
    std::vector<std::string> texts;
    for (const net::Address& address : *found) texts.push_back(address.ip_text());
    std::sort(texts.begin(), texts.end());
    texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
    finish(std::move(texts));
  }
  void on_timer() override {
    finish(Error(ErrorCode::timeout_resolve, Phase::resolve,
                 "no name server answered for " + printable(host_) + " in time"));
  }
  void finish(Addresses answer) {
    if (!done_) return;
    loop_.cancel_timer(*this);
    Callback<void(Addresses)> done = std::move(done_);
    done(std::move(answer));
    // The timer may be what runs us: it goes at the end of the turn.
    loop_.retire([self = std::move(self_)] {});
  }

  net::Loop& loop_;
  const std::string host_;
  Callback<void(Addresses)> done_;
  std::shared_ptr<Question> self_;
};

}  // namespace

void start_resolve(std::string host, Duration limit, Callback<void(Addresses)> done) {
  net::Loop& loop = Engine::instance().next_loop();
  auto question = std::make_shared<Question>(loop, std::move(host), std::move(done));
  loop.post([question = std::move(question), limit] { question->start(limit); });
}

Addresses resolve(std::string host, Duration limit) {
  std::promise<Addresses> promise;
  start_resolve(std::move(host), limit, [&promise](Addresses answer) { promise.set_value(std::move(answer)); });
  return promise.get_future().get();
}

}  // namespace trunkline
