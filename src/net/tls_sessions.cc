#include <algorithm>

#include "net/openssl.h"
#include "net/tls.h"

namespace trunkline::net {

TlsSessions::TlsSessions() : impl_(std::make_unique<Impl>()) {}
TlsSessions::~TlsSessions() = default;

void TlsSessions::clear() {
  std::vector<SessionPtr> dropped;  // freed outside the lock: a session holds the server's certificates
  std::lock_guard lock(impl_->mutex);
  dropped.swap(impl_->newest_first);
}

void TlsSessions::Impl::add(SessionPtr session) {
  SessionPtr dropped;
  std::lock_guard lock(mutex);
  if (newest_first.size() == limit) {
    dropped = std::move(newest_first.back());
    newest_first.pop_back();
  }
  newest_first.insert(newest_first.begin(), std::move(session));
}

SessionPtr TlsSessions::Impl::take() {
  std::vector<SessionPtr> dropped;
  std::lock_guard lock(mutex);
  while (!newest_first.empty()) {
    SSL_SESSION* newest = newest_first.front().get();
    const bool usable = SSL_SESSION_is_resumable(newest);
    // Two connections that show one ticket can be linked by whoever listens: RFC 8446, appendix C.4.
    const bool single_use = SSL_SESSION_get_protocol_version(newest) >= TLS1_3_VERSION;
    if (usable && !single_use) {
      SSL_SESSION_up_ref(newest);
      return SessionPtr(newest);
    }
    SessionPtr first = std::move(newest_first.front());
    newest_first.erase(newest_first.begin());
    if (usable) return first;
    dropped.push_back(std::move(first));
  }
  return nullptr;
}

}  // namespace trunkline::net
