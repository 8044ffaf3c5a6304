// Whatever scales when it is told to over HTTP: POST {"policy","current","desired",...} asks for replicas, GET of the
// same URL says how many were asked for. Its pods are the targets of a scrape job.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "services/autoscale_live/scale_target.h"

namespace trunkline::autoscale {

struct WebhookSettings {
  std::string url = {};
  std::string job = {};                         // the scrape job whose targets are its pods
  std::string token = {};                       // sent as a bearer token; empty: none. Shown nowhere
  Duration timeout = std::chrono::seconds(10);  // of a call with its retries
  Duration refresh = std::chrono::seconds(5);   // how often it is asked how many there are
  bool operator==(const WebhookSettings&) const = default;
};

class WebhookTarget : public ScaleTarget {
 public:
  explicit WebhookTarget(WebhookSettings settings);
  ~WebhookTarget() override;

  std::string_view kind() const override { return "webhook"; }
  TargetView observe(TimePoint now) override;
  void apply(const Decision& decision) override;
  void begin_stop(Duration) override {}
  bool gone() const override { return true; }

 private:
  struct Shared;
  static void ask(const std::shared_ptr<Shared>& shared);
  static void tell(const std::shared_ptr<Shared>& shared, const std::string& body);
  std::shared_ptr<Shared> shared_;  // with calls under way, which may end after us
};

// What a GET may say: a number, or a mapping with "replicas" or "current".
Result<int> read_replicas(std::string_view body);
// What a POST says.
std::string print_order(const Decision& decision);

}  // namespace trunkline::autoscale
