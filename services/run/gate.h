// Who may read the admin listener: whoever has its password or its token. Nobody is asked when neither is set. From any
// thread; what it asks for may change while it is asked.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string_view>

#include <trunkline/headers.hpp>

#include "base/sha256.h"
#include "server/router.h"

namespace trunkline::run {

struct AdminSettings;

class Gate {
 public:
  // From now on it asks for what these settings say. Only digests of the secrets are kept.
  void set(const AdminSettings& admin);
  bool opens(const Headers& request) const;
  // The handler, behind the gate: 401 with what is asked for. /healthz and /readyz are open, for those who look after
  // processes and know no password.
  static server::Handler behind(std::shared_ptr<const Gate> gate, server::Handler handler);

 private:
  server::Response refusal() const;

  mutable std::mutex mutex_;
  std::optional<Sha256::Digest> basic_;  // of the whole value behind the scheme
  std::optional<Sha256::Digest> bearer_;
};

// Whether these settings ask for anything.
bool asks_for_login(const AdminSettings& admin);
// Nobody but this machine can connect there.
bool is_of_this_machine(std::string_view address);

}  // namespace trunkline::run
