#include <utility>

#include <trunkline/response.hpp>
#include <trunkline/round_tripper.hpp>

#include "client/call.h"
#include "client/upgraded.h"

namespace trunkline {

ResponseStream::ResponseStream(ResponseHead head, std::shared_ptr<Call> call)
    : head_(std::move(head)), call_(std::move(call)) {}
ResponseStream::ResponseStream(ResponseStream&&) noexcept = default;

ResponseStream& ResponseStream::operator=(ResponseStream&& other) noexcept {
  if (this != &other) {
    if (call_) call_->abandon();
    head_ = std::move(other.head_);
    call_ = std::move(other.call_);
    watches_ = std::move(other.watches_);
  }
  return *this;
}

ResponseStream::~ResponseStream() {
  if (call_) call_->abandon();
}

namespace {

void tell(const StreamWatches& watches, const Result<std::size_t>& got) {
  if (got) return;
  for (const auto& watch : watches) watch->on_error(got.error());
}

}  // namespace

Result<std::size_t> ResponseStream::read(std::span<char> into) {
  Result<std::size_t> got = call_->read(into);
  tell(watches_, got);
  return got;
}

CallHandle ResponseStream::start_read(std::span<char> into, Callback<void(Result<std::size_t>)> done) {
  CallHandle handle{call_};
  if (watches_.empty()) {
    call_->start_read(into, std::move(done));
    return handle;
  }
  call_->start_read(into, [watches = watches_, done = std::move(done)](Result<std::size_t> got) mutable {
    tell(watches, got);
    watches.clear();
    done(std::move(got));
  });
  return handle;
}

void ResponseStream::close() {
  if (const auto call = std::exchange(call_, nullptr)) call->close();
  watches_.clear();
}

void ResponseStream::watch(std::shared_ptr<StreamWatch> watch) { watches_.push_back(std::move(watch)); }

Result<std::string> ResponseStream::read_all(std::size_t limit) {
  std::string all;
  constexpr std::size_t piece = 16 * 1024;
  for (;;) {
    const std::size_t before = all.size();
    // One byte more than allowed is enough to know that there is more.
    all.resize(before + (limit - before < piece ? limit - before + 1 : piece));
    Result<std::size_t> got = read(std::span<char>(all).subspan(before));
    if (!got) return std::move(got).error();
    all.resize(before + *got);
    if (*got == 0) return all;
    if (all.size() > limit) {
      return Error(ErrorCode::limit_exceeded, Phase::body,
                   "the response's body is longer than the limit of " + std::to_string(limit) + " bytes");
    }
  }
}

const Headers& ResponseStream::trailers() const { return call_->trailers(); }
bool ResponseStream::upgraded() const { return call_->upgraded(); }
Result<UpgradedConnection> ResponseStream::take_connection() {
  Result<std::unique_ptr<UpgradedConnection::Impl>> taken = call_->take_connection();
  if (!taken) return std::move(taken).error();
  return UpgradedConnection(*std::move(taken), std::move(watches_));
}

}  // namespace trunkline
