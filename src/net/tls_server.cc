#include "net/tls_server.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>

#include "net/openssl.h"

namespace trunkline::net {

struct TlsServer::Contexts {
  std::vector<std::shared_ptr<TlsContext>> list;  // as the settings name them
  std::string alpn;                               // as OpenSSL wants it: each behind its length
};

namespace {

constexpr std::size_t ticket_keys_size = 80;  // of OpenSSL 3: a name, a key and a key

bool fits(const TlsContext& context, const std::string& name) {
  X509* certificate = SSL_CTX_get0_certificate(context.get());
  return X509_check_host(certificate, name.data(), name.size(), name_check_flags, nullptr) == 1;
}

int choose_certificate(SSL* ssl, int*, void* all) {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  const auto& list = static_cast<const TlsServer::Contexts*>(all)->list;
  const auto found = std::find_if(list.begin(), list.end(), [&](const auto& one) { return fits(*one, name); });
  if (found == list.end()) return SSL_TLSEXT_ERR_NOACK;
  if (found != list.begin()) SSL_set_SSL_CTX(ssl, (*found)->get());
  return SSL_TLSEXT_ERR_OK;
}

// Ours that is preferred among theirs. None: the client could only misunderstand what follows (RFC 7301 section 3.2).
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                    unsigned int offered_size, void* all) {
  const std::string& ours = static_cast<const TlsServer::Contexts*>(all)->alpn;
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(ours.data()),
                            static_cast<unsigned int>(ours.size()), offered, offered_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

Result<void> ask_for_certificates(SSL_CTX* context, const TlsServerSettings& settings) {
  if (settings.client_ca_file.empty()) return {};
  const char* file = settings.client_ca_file.c_str();
  STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(file);
  if (names == nullptr || SSL_CTX_load_verify_file(context, file) != 1) {
    sk_X509_NAME_pop_free(names, X509_NAME_free);
    return tls_misuse("the file of clients' authorities, " + settings.client_ca_file +
                      ", cannot be used: " + take_error_text());
  }
  SSL_CTX_set_client_CA_list(context, names);
  SSL_CTX_set_verify(context,
                     SSL_VERIFY_PEER | (settings.client_certificate_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                     tls_certificate_judged);
  return {};
}

Result<void> use_certificate(SSL_CTX* context, const CertificateFiles& files) {
  SSL_CTX_set_default_passwd_cb(context, no_password);
  if (SSL_CTX_use_certificate_chain_file(context, files.certificate_file.c_str()) != 1) {
    return tls_misuse("the server's certificate in " + files.certificate_file +
                      " cannot be used: " + take_error_text());
  }
  const std::string& key = files.key_file.empty() ? files.certificate_file : files.key_file;
  if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context) != 1) {
    return tls_misuse("the server's private key in " + key + " cannot be used with " + files.certificate_file + ": " +
                      take_error_text());
  }
  return {};
}

Result<std::shared_ptr<TlsContext>> make_context(const TlsServerSettings& settings, const CertificateFiles& files,
                                                 TlsServer::Contexts& all) {
  clear_errors();
  SslContextPtr context(SSL_CTX_new(TLS_server_method()));
  if (!context) {
    return Error(ErrorCode::tls_failed, Phase::tls, "OpenSSL cannot make a context: " + take_error_text());
  }
  SSL_CTX* raw = context.get();
  SSL_CTX_set_min_proto_version(raw, settings.minimum_version == TlsVersion::tls_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Tickets hold the session, sealed; here nothing is kept for those who will not come back.
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  constexpr std::string_view owner = "trunkline";
  SSL_CTX_set_session_id_context(raw, reinterpret_cast<const unsigned char*>(owner.data()), owner.size());
  SSL_CTX_set_tlsext_servername_callback(raw, choose_certificate);
  SSL_CTX_set_tlsext_servername_arg(raw, &all);
  if (!all.alpn.empty()) SSL_CTX_set_alpn_select_cb(raw, choose_protocol, &all);
  for (const auto& done : {use_certificate(raw, files), ask_for_certificates(raw, settings)}) {
    if (!done) return done.error();
  }
  clear_errors();
  TlsMaterial material;
  material.verify = false;  // of names: that is for clients
  return std::make_shared<TlsContext>(std::move(context), nullptr, material);
}

// A ticket of one context is good for all of them, and for those that come after a reload.
void share_ticket_keys(SSL_CTX* from, TlsServer::Contexts& to) {
  std::array<unsigned char, ticket_keys_size> keys{};
  if (SSL_CTX_get_tlsext_ticket_keys(from, keys.data(), keys.size()) == 1) {
    for (const auto& context : to.list) SSL_CTX_set_tlsext_ticket_keys(context->get(), keys.data(), keys.size());
  }
  OPENSSL_cleanse(keys.data(), keys.size());
}

}  // namespace

Result<std::shared_ptr<TlsServer>> TlsServer::make(const TlsServerSettings& settings) {
  if (settings.certificates.empty()) return tls_misuse("a server of TLS needs a certificate");
  for (const std::string& protocol : settings.alpn) {
    if (protocol.empty() || protocol.size() > 255) return tls_misuse("an ALPN protocol has 1 to 255 bytes");
  }
  std::shared_ptr<TlsServer> server(new TlsServer(settings));
  auto loaded = server->reload();
  if (!loaded) return loaded.error();
  return server;
}

std::shared_ptr<TlsContext> TlsServer::context() const {
  const std::lock_guard guard(mutex_);
  // It keeps all of them alive, for as long as a handshake may choose among them.
  return {current_, current_->list.front().get()};
}

Result<void> TlsServer::reload() {
  const std::lock_guard guard(reloading_);
  // Before the files are read: what changes meanwhile is seen as a change the next time.
  stamps_ = stamps();
  auto fresh = std::make_shared<Contexts>();
  for (const std::string& protocol : settings_.alpn) {
    fresh->alpn += static_cast<char>(protocol.size());
    fresh->alpn += protocol;
  }
  for (const CertificateFiles& files : settings_.certificates) {
    auto context = make_context(settings_, files, *fresh);
    if (!context) {
      stamps_.clear();  // the cause may lie elsewhere, as in who may read a file: to be tried again
      return context.error();
    }
    fresh->list.push_back(*std::move(context));
  }
  // With clients' certificates old tickets end: they would carry a client past an authority that is trusted no more.
  const bool keep_tickets = current_ && settings_.client_ca_file.empty();
  share_ticket_keys((keep_tickets ? current_ : fresh)->list.front()->get(), *fresh);
  const std::lock_guard current(mutex_);
  current_ = std::move(fresh);
  return {};
}

Result<bool> TlsServer::reload_if_changed() {
  {
    const std::lock_guard guard(reloading_);
    const std::vector<Stamp> now = stamps();
    const auto same = [](const Stamp& a, const Stamp& b) {
      return a.device == b.device && a.inode == b.inode && a.size == b.size && a.modified.tv_sec == b.modified.tv_sec &&
             a.modified.tv_nsec == b.modified.tv_nsec;
    };
    if (std::equal(now.begin(), now.end(), stamps_.begin(), stamps_.end(), same)) return false;
  }
  auto loaded = reload();
  if (!loaded) return loaded.error();
  return true;
}

std::vector<TlsServer::Stamp> TlsServer::stamps() const {
  std::vector<Stamp> stamps;
  const auto add = [&](const std::string& file) {
    struct stat status{};
    Stamp stamp;
    if (::stat(file.c_str(), &status) == 0) stamp = {status.st_dev, status.st_ino, status.st_size, status.st_mtim};
    stamps.push_back(stamp);
  };
  for (const CertificateFiles& files : settings_.certificates) {
    add(files.certificate_file);
    add(files.key_file);
  }
  add(settings_.client_ca_file);
  return stamps;
}

}  // namespace trunkline::net
