// Who may read the admin listener: whoever has its password or its token. Nobody is asked when neither is set. From any
// thread; what it asks for may change while it is asked.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include <trunkline/headers.hpp>

#include "server/router.h"
#include "services/run/kept_secret.h"

namespace trunkline::run {

struct AdminSettings;

class Gate {
 public:
  // From now on it asks for what these settings say.
  void set(const AdminSettings& admin);
  bool opens(const Headers& request) const;
  // Where nobody has to log in, and nobody said that this is meant, browsers are the only strangers, made to ask for
  // somebody's page: they come under that page's name.
  bool only_known_names() const;
  // The handler, behind the gate: 401 with what is asked for. /healthz and /readyz are open, for those who look after
  // processes and know no password.
  static server::Handler behind(std::shared_ptr<const Gate> gate, server::Handler handler);

 private:
  server::Response refusal() const;

  mutable std::mutex mutex_;
  KeptSecret basic_;
  KeptSecret bearer_;
  bool only_known_names_ = true;
};

// Whether these settings ask for anything.
bool asks_for_login(const AdminSettings& admin);
// Nobody but this machine can connect there.
bool is_of_this_machine(std::string_view address);
// Other machines can connect, nobody is asked for anything, and nobody said that this is meant: not to be listened at.
bool is_exposed(const AdminSettings& admin);
// What is wrong with it, and what can be done, in the words of the place where it can be said.
std::string exposed_sentence(std::string_view remedy);

}  // namespace trunkline::run
