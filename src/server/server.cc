#include "server/server.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>
#include <system_error>
#include <thread>

#include "http1/request_encoder.h"
#include "net/tls_server.h"
#include "net/workers.h"
#include "server/worker.h"

namespace trunkline::server {
namespace {

constexpr int usual_loops = 4;
constexpr Duration drain_check = std::chrono::milliseconds(5);

net::TlsServerSettings tls_settings(const TlsSettings& settings) {
  net::TlsServerSettings made;
  for (const TlsFiles& files : settings.certificates) {
    made.certificates.push_back({files.certificate_file, files.key_file});
  }
  made.minimum_version = settings.minimum_version;
  made.client_ca_file = settings.client_ca_file;
  made.client_certificate_required = settings.client_certificate_required;
  if (settings.http2) made.alpn.emplace_back("h2");
  made.alpn.emplace_back("http/1.1");
  return made;
}

// Looks at the certificates' files now and then, on a thread that may wait for a disk.
class CertificateWatch final : public net::Timer {
 public:
  CertificateWatch(net::Loop& loop, std::shared_ptr<Shared> shared) : loop_(loop), shared_(std::move(shared)) {}
  // Nobody is told anything after this, though a look at the files may still be under way.
  ~CertificateWatch() override {
    const std::lock_guard guard(said_->mutex);
    said_->ended = true;
  }

  void on_timer() override {
    net::run_on_worker([shared = shared_, said = said_] {
      auto reloaded = shared->tls->reload_if_changed();
      const std::lock_guard guard(said->mutex);
      if (reloaded) {
        said->last.clear();
      } else if (!said->ended && shared->settings.on_trouble && said->last != reloaded.error().message) {
        said->last = reloaded.error().message;  // once, however often it is tried again
        shared->settings.on_trouble("the old certificates stay in use: " + said->last);
      }
    });
    set();
  }
  void set() { loop_.set_timer(*this, after(loop_.now(), shared_->settings.tls.watch_every)); }

 private:
  struct Said {
    std::mutex mutex;
    std::string last;
    bool ended = false;
  };

  net::Loop& loop_;
  const std::shared_ptr<Shared> shared_;
  const std::shared_ptr<Said> said_ = std::make_shared<Said>();
};

template <class Action>
void on_loop(Worker& worker, Action action) {
  std::promise<void> done;
  worker.loop().post([&] {
    action();
    done.set_value();
  });
  done.get_future().get();
}

}  // namespace

class Server::Impl {
 public:
  Impl(Settings settings, Handler handler) : shared_(std::make_shared<Shared>()) {
    shared_->settings = std::move(settings);
    shared_->handler = std::move(handler);
  }

  ~Impl() {
    if (!workers_.empty() && watch_) {
      on_loop(*workers_.front(), [this] { workers_.front()->loop().cancel_timer(*watch_); });
    }
    // All listeners first: what comes to one loop's may be another loop's to serve.
    for (const auto& worker : workers_) on_loop(*worker, [&] { worker->stop_listening(); });
    workers_.clear();
  }

  Result<void> start() {
    if (!shared_->handler) return Error(ErrorCode::invalid_options, Phase::prepare, "a server needs a handler");
    if (!http1::is_field_value(shared_->settings.name)) {
      return Error(ErrorCode::invalid_options, Phase::prepare, "the server's name has a control character in it");
    }
    const std::vector<ListenSettings>& listen = shared_->settings.listen;
    if (std::any_of(listen.begin(), listen.end(), [](const ListenSettings& one) { return one.secure; })) {
      auto tls = net::TlsServer::make(tls_settings(shared_->settings.tls));
      if (!tls) return tls.error();
      shared_->tls = *std::move(tls);
    }
    int loops = shared_->settings.loops;
    if (loops <= 0) loops = std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, usual_loops);
    try {
      for (int i = 0; i < loops; ++i) workers_.push_back(std::make_unique<Worker>(shared_));
    } catch (const std::system_error& error) {
      return Error(ErrorCode::no_sockets, Phase::prepare, std::string("cannot start a loop: ") + error.what());
    }
    for (const ListenSettings& one : listen) {
      auto listening = listen_at(one);
      if (!listening) return listening;
    }
    if (shared_->tls) {
      Worker& first = *workers_.front();
      watch_ = std::make_unique<CertificateWatch>(first.loop(), shared_);
      on_loop(first, [this] { watch_->set(); });
    }
    return {};
  }

  const std::vector<std::string>& addresses() const { return addresses_; }
  bool ready() const { return !shared_->draining.load(); }

  bool drain(Duration limit) {
    const TimePoint deadline = Clock::now() + limit;
    shared_->draining = true;
    for (const auto& worker : workers_) on_loop(*worker, [&] { worker->stop_listening(); });
    for (const auto& worker : workers_) on_loop(*worker, [&] { worker->drain(); });
    while (shared_->connections.load() != 0 && Clock::now() < deadline) {
      std::this_thread::sleep_for(std::min<Duration>(drain_check, limit));
    }
    const bool all_ended = shared_->connections.load() == 0;
    for (const auto& worker : workers_) on_loop(*worker, [&] { worker->cut_all(ConnectionEnd::stopped); });
    // Behind what the loops have put off to the end of the turn: the gauges are at rest.
    for (const auto& worker : workers_) on_loop(*worker, [] {});
    return all_ended;
  }

  Gauges gauges() const {
    Gauges sum;
    for (const auto& worker : workers_) sum += worker->gauges();
    return sum;
  }

  Result<void> reload_certificates() {
    if (!shared_->tls) return {};
    return shared_->tls->reload();
  }

 private:
  Result<void> listen_at(const ListenSettings& one) {
    auto address = net::parse_listen_address(one.address);
    if (!address) return address.error();
    const bool shared = !address->is_unix() && workers_.size() > 1;
    if (shared) {
      // SO_REUSEPORT would also let a second program in, and each of them would get half of the clients.
      auto alone = net::ListeningSocket::open(*address, false, 1);
      if (!alone) return alone.error();
      *address = alone->address();
    }
    const std::size_t sockets = shared ? workers_.size() : 1;
    for (std::size_t i = 0; i < sockets; ++i) {
      auto socket = net::ListeningSocket::open(*address, shared, shared_->settings.backlog);
      if (!socket) return socket.error();
      *address = socket->address();
      auto listening = start_accepting(*workers_[i], *std::move(socket), one.secure, sockets > 1);
      if (!listening) return listening;
    }
    addresses_.push_back(address->text());
    return {};
  }

  // `spread`: the kernel spreads the clients over the loops. Otherwise they go from one loop to the next in turn.
  Result<void> start_accepting(Worker& worker, net::ListeningSocket socket, bool secure, bool spread) {
    std::function<void(int, std::string)> taker;
    if (spread || workers_.size() == 1) {
      taker = [&worker, secure](int fd, std::string peer) { worker.adopt(fd, std::move(peer), secure); };
    } else {
      taker = [this, secure, next = std::size_t{0}](int fd, std::string peer) mutable {
        Worker& chosen = *workers_[next++ % workers_.size()];
        chosen.loop().post([&chosen, fd, secure, peer = std::move(peer)] { chosen.adopt(fd, peer, secure); });
      };
    }
    Result<void> result;
    on_loop(worker, [&] { result = worker.listen(std::move(socket), secure, std::move(taker)); });
    return result;
  }

  std::shared_ptr<Shared> shared_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::string> addresses_;
  std::unique_ptr<CertificateWatch> watch_;
};

Result<void> check_address(const std::string& text) {
  const auto address = net::parse_listen_address(text);
  if (!address) return address.error();
  return {};
}

Result<void> check_certificate(const TlsFiles& files) {
  net::TlsServerSettings settings;
  settings.certificates = {{files.certificate_file, files.key_file}};
  const auto made = net::TlsServer::make(settings);
  return made ? Result<void>() : Result<void>(made.error());
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::start(Settings settings, Handler handler) {
  auto impl = std::make_unique<Impl>(std::move(settings), std::move(handler));
  auto started = impl->start();
  if (!started) return started.error();
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

const std::vector<std::string>& Server::addresses() const { return impl_->addresses(); }
bool Server::ready() const { return impl_->ready(); }
bool Server::drain(Duration limit) { return impl_->drain(limit); }
Gauges Server::gauges() const { return impl_->gauges(); }
Result<void> Server::reload_certificates() { return impl_->reload_certificates(); }

}  // namespace trunkline::server
