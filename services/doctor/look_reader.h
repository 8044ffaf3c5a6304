// Takes looks at the sockets of a network namespace: netlink sock_diag, or /proc/PID/net where that is refused. The one
// place of this folder that asks the kernel for sockets.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <trunkline/result.hpp>

#include "services/doctor/look.h"

namespace trunkline::doctor {

struct LookSettings {
  std::optional<int> pid;  // look into this process's network namespace, and at its sockets
  Clock::duration interval = std::chrono::seconds(2);
  Clock::duration glance = std::chrono::milliseconds(10);  // between searches for what lives briefly
  std::size_t most_sockets = 500'000;                      // a look keeps no more
  std::size_t most_sightings = 200'000;
  std::size_t most_descriptors = 1'000'000;  // looked at for owners, in a scan
  bool proc_only = false;                    // do as if sock_diag were refused
};

class LookReader {
 public:
  // Fails when there is no such process, or when neither source can be read.
  static Result<LookReader> open(const LookSettings& settings);
  LookReader(LookReader&& other) noexcept;
  LookReader& operator=(LookReader&&) = delete;
  ~LookReader();

  // Two looks, `interval` apart, and short ones between. `stop` ends it early, with what there is by then.
  Result<Observation> observe(const std::function<bool()>& stop);

  bool reads_netlink() const { return fd_ >= 0; }

 private:
  enum class Which : unsigned char { all, open_only };

  explicit LookReader(const LookSettings& settings) : settings_(settings) {}
  Result<Look> look(Which which);
  bool ask_netlink(int family, Which which, Look& look) const;
  Result<void> read_proc(Which which, Look& look) const;
  void learn_owners(const Look& look, Observation& seen);
  void glance(Observation& seen);
  void describe_owners(Observation& seen);
  void name_what_was_hidden(const ProcessTable::Scan& scan, Observation& seen) const;
  std::string net_file(const char* name) const;

  LookSettings settings_;
  ProcessTable processes_;
  PortFacts ports_;
  std::vector<std::string> unseen_;
  int fd_ = -1;
  std::optional<Look> last_;  // the end of one observation is the start of the next
};

}  // namespace trunkline::doctor
