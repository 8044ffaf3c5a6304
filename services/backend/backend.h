// A server to be scaled, drained and misled by: what stands behind `trunkline backend`. WebSockets that are counted
// exactly, event streams, echoes, health, metrics; and slow, leaking or silent on purpose.
#pragma once

#include <memory>
#include <string>

#include <trunkline/result.hpp>

#include "services/backend/settings.h"

namespace trunkline::backend {

class Backend {
 public:
  // Listens and serves from now on. An error names the setting, or the address.
  static Result<std::unique_ptr<Backend>> start(const Settings& settings);
  ~Backend();  // cuts what drain() has not ended
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  const std::string& address() const;  // "127.0.0.1:43121"

  // /healthz says 503, nothing new is accepted, WebSockets get 1001, streams and delayed answers end. True: all of it
  // within `limit`; otherwise the rest is cut.
  bool drain(Duration limit);

 private:
  class Impl;
  explicit Backend(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace trunkline::backend
