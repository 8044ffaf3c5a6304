#include "client/pooled_connection.h"

#include <atomic>
#include <mutex>
#include <set>
#include <string>

#include "net/per_process.h"

namespace trunkline {

namespace {

std::atomic<std::uint64_t> next_connection_id{1};

// There are as many texts as ciphers; every response of a connection refers to one.
struct KeptTexts {
  std::mutex mutex;
  std::set<std::string> texts;
};

std::string_view kept_for_ever(const std::string& text) {
  if (text.empty()) return {};
  auto& kept = net::per_process<KeptTexts>();  // never destroyed: the last response may outlive everything
  std::lock_guard lock(kept.mutex);
  return *kept.texts.insert(text).first;
}

}  // namespace

PooledConnection::PooledConnection(net::Loop& loop, std::shared_ptr<pool::Pool> pool,
                                   std::shared_ptr<pool::Route> route, net::Dialled dialled)
    : loop_(loop),
      pool_(std::move(pool)),
      route_(std::move(route)),
      dialled_(std::move(dialled)),
      tls_(kept_for_ever(dialled_.tls)) {
  id = next_connection_id.fetch_add(1, std::memory_order_relaxed);
}

PooledConnection::~PooledConnection() = default;

bool PooledConnection::watch(Duration idle_timeout) {
  if (!loop_.add(stream().fd(), *this, net::readable)) return false;
  loop_.set_timer(*this, loop_.now() + (idle_timeout > Duration::zero() ? idle_timeout : std::chrono::minutes(1)));
  return true;
}

void PooledConnection::shut() {
  before_shut();
  stream().farewell();
  loop_.remove(stream().fd());
  dialled_.stream.reset();
  loop_.cancel_timer(*this);
  const std::shared_ptr<pool::Pool> pool = pool_;
  pool->closed(*route_, *this, loop_.now());
  if (!outlives_socket()) end();
}

void PooledConnection::end() {
  loop_.retire([this] { delete this; });
}

}  // namespace trunkline
