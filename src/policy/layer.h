// A RoundTripper that sends each request through another one by the decisions of a Journey.
#pragma once

#include <memory>

#include <trunkline/round_tripper.hpp>

#include "policy/journey.h"

namespace trunkline {

class Layer : public RoundTripper {
 public:
  explicit Layer(std::shared_ptr<RoundTripper> next) : next_(std::move(next)) {}

  Result<ResponseStream> open(Request&& request) override;
  Result<Response> send(Request&& request) override;
  CallHandle start(Request&& request, Callback<void(Result<Response>)>&& done) override;
  CallHandle start_open(Request&& request, Callback<void(Result<ResponseStream>)>&& done) override;
  std::shared_ptr<RoundTripper> elsewhere() override;
  RouteName route_of(const std::string& url) override { return next_->route_of(url); }

 protected:
  virtual std::unique_ptr<Journey> journey(Request&& request) = 0;
  // The same layer over another one.
  virtual std::shared_ptr<RoundTripper> over(std::shared_ptr<RoundTripper> next) const = 0;
  const std::shared_ptr<RoundTripper>& next() const { return next_; }

 private:
  template <class Reply>
  Result<Reply> run(Request&& request);
  template <class Reply>
  CallHandle launch(Request&& request, Callback<void(Result<Reply>)>&& done);

  std::shared_ptr<RoundTripper> next_;
};

}  // namespace trunkline
