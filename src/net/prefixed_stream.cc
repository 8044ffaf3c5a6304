#include "net/prefixed_stream.h"

#include <utility>

namespace trunkline::net {
namespace {

class PrefixedStream final : public Stream {
 public:
  PrefixedStream(std::string prefix, std::unique_ptr<Stream> rest)
      : prefix_(std::move(prefix)), rest_(std::move(rest)) {}

  ReadResult read(Scratch& scratch) override { return prefix_.empty() ? rest_->read(scratch) : take(scratch); }
  ReadResult read_waiting(Scratch& scratch) override {
    return prefix_.empty() ? rest_->read_waiting(scratch) : take(scratch);
  }
  WriteResult write(std::span<const std::string_view> parts) override { return rest_->write(parts); }
  WriteResult flush() override { return rest_->flush(); }
  bool has_pending_output() const override { return rest_->has_pending_output(); }
  bool has_buffered_input() const override { return !prefix_.empty() || rest_->has_buffered_input(); }
  std::uint64_t bytes_sent() const override { return rest_->bytes_sent(); }
  void farewell() override { rest_->farewell(); }
  int fd() const override { return rest_->fd(); }

 private:
  // Not `drained`: nobody has asked the socket.
  ReadResult take(Scratch& scratch) {
    ReadResult result;
    result.io = Io::ok;
    result.bytes = {scratch.wire.get(), prefix_.copy(scratch.wire.get(), Scratch::size)};
    std::string().swap(prefix_);
    return result;
  }

  std::string prefix_;
  const std::unique_ptr<Stream> rest_;
};

}  // namespace

std::unique_ptr<Stream> make_prefixed_stream(std::string prefix, std::unique_ptr<Stream> rest) {
  return std::make_unique<PrefixedStream>(std::move(prefix), std::move(rest));
}

}  // namespace trunkline::net
