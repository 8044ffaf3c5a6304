// The admin listener: one server whose address and whose handler may change while it serves.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "metrics/exposition_writer.h"
#include "server/server.h"

namespace trunkline::run {

class Admin {
 public:
  // `on_trouble` gets sentences for the operator, on any thread: a certificate that was renewed and cannot be used, a
  // handler that threw.
  explicit Admin(std::function<void(const std::string&)> on_trouble);
  ~Admin();
  Admin(const Admin&) = delete;
  Admin& operator=(const Admin&) = delete;

  // From now on answers come from this handler.
  void serve(server::Handler handler);
  // Listens there, and no more where it listened before; but if it cannot, all stays as it was. Clients of the old
  // address have `limit` to finish. With a certificate it is https; its files are read again when they change, and at
  // once when the same is asked for a second time. Files that cannot be used leave the certificate that is in use.
  Result<void> listen(const std::string& address, const server::TlsFiles& certificate, Duration limit);
  // True: nothing was cut off.
  bool drain(Duration limit);

  std::vector<std::string> addresses() const;
  void write_metrics(metrics::ExpositionWriter& writer) const;

 private:
  struct Current;
  std::shared_ptr<server::Server> server() const;

  const std::function<void(const std::string&)> on_trouble_;
  std::shared_ptr<Current> current_;  // shared with the server's handler
  mutable std::mutex mutex_;
  std::string address_;
  server::TlsFiles certificate_;
  std::shared_ptr<server::Server> server_;
};

}  // namespace trunkline::run
