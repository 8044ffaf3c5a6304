#include "services/demo/fleet.h"

namespace trunkline::demo {

class Fleet::Impl {
 public:
  const autoscale::FleetView& view() const { return *view_; }

 private:
  std::unique_ptr<autoscale::FleetView> view_;
};

Fleet::Fleet(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Fleet::~Fleet() = default;

Result<std::unique_ptr<Fleet>> Fleet::start(const DemoSettings&) {
  return Error(ErrorCode::unsupported, Phase::prepare, "there is no autoscaler in this build yet");
}

const autoscale::FleetView& Fleet::view() const { return impl_->view(); }

void Fleet::stop(Duration) {}

}  // namespace trunkline::demo
