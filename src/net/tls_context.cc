// From PEM to an SSL_CTX, with the two things that are slow made once in the process: the CA store of one content, and
// the context of one material.
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <cstdlib>
#include <iterator>
#include <map>

#include "base/sha256.h"
#include "net/openssl.h"
#include "net/per_process.h"
#include "net/tls.h"

namespace trunkline::net {
namespace {

// Neither keeps its values alive: the last connection that uses one frees it.
template <class T>
class Shared {
 public:
  std::shared_ptr<T> find(const std::string& key) {
    std::lock_guard lock(mutex_);
    const auto found = values_.find(key);
    return found == values_.end() ? nullptr : found->second.lock();
  }
  // The value that was there first, if two threads made one at the same time.
  std::shared_ptr<T> insert(const std::string& key, std::shared_ptr<T> value) {
    std::lock_guard lock(mutex_);
    std::erase_if(values_, [](const auto& entry) { return entry.second.expired(); });
    std::weak_ptr<T>& slot = values_[key];
    if (auto present = slot.lock()) return present;
    slot = value;
    return value;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<T>> values_;
};

// Lengths between the fields, so that bytes moved from one field to the next make another key.
std::string digest_of(std::initializer_list<std::string_view> fields) {
  Sha256 hash;
  for (std::string_view field : fields) {
    hash.update(std::to_string(field.size()) + ':');
    hash.update(field);
  }
  return hex(hash.finish());
}

BioPtr view_of(std::string_view pem) { return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))); }

// All certificates of a PEM text, first to last. `what` starts the sentence when there is something wrong.
Result<std::vector<CertificatePtr>> read_certificates(std::string_view pem, const std::string& what) {
  std::vector<CertificatePtr> certificates;
  BioPtr bio = view_of(pem);
  clear_errors();
  while (X509* certificate = PEM_read_bio_X509_AUX(bio.get(), nullptr, no_password, nullptr)) {
    certificates.emplace_back(certificate);
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (!at_end) {
    return tls_misuse(what + ": certificate number " + std::to_string(certificates.size() + 1) + " cannot be read (" +
                      take_error_text() + ")");
  }
  clear_errors();
  if (certificates.empty()) return tls_misuse(what + " holds no certificate in PEM form");
  return certificates;
}

std::string default_path(const char* variable, const char* otherwise) {
  const char* value = std::getenv(variable);
  return value && *value ? value : otherwise;
}

bool exists(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0;
}

// OpenSSL's default file and directory, and not its third default, a lookup that scans the directory on every miss.
Result<void> add_system_roots(X509_STORE* store, const std::string& file, const std::string& directory) {
  const bool has_file = exists(file);
  if (has_file && !X509_STORE_load_file(store, file.c_str())) {
    return tls_misuse("the system's certificates in " + file + " cannot be read: " + take_error_text());
  }
  const bool has_directory = exists(directory);
  if (has_directory) X509_STORE_load_path(store, directory.c_str());
  if (!has_file && !has_directory) {
    return tls_misuse("the system has no certificates: neither " + file + " nor " + directory +
                      " exists (install ca-certificates, or set tls.ca_file)");
  }
  clear_errors();
  return {};
}

Result<std::shared_ptr<X509_STORE>> make_store(const TlsMaterial& material) {
  std::string file;
  std::string directory = material.ca_directory;
  if (material.system_roots) {
    file = default_path(X509_get_default_cert_file_env(), X509_get_default_cert_file());
    directory = default_path(X509_get_default_cert_dir_env(), X509_get_default_cert_dir());
  }
  auto& shared = per_process<Shared<X509_STORE>>();
  const std::string key = digest_of({material.system_roots ? "system" : "own", file, directory, material.ca_pem});
  if (auto present = shared.find(key)) return present;

  std::shared_ptr<X509_STORE> store(X509_STORE_new(), X509_STORE_free);
  // Whatever is named as trusted is, root or not: an intermediate or a self-signed server certificate will do.
  X509_STORE_set_flags(store.get(), X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
  if (material.system_roots) {
    auto added = add_system_roots(store.get(), file, directory);
    if (!added) return added.error();
  } else {
    if (material.ca_pem.empty() && directory.empty()) return tls_misuse("no certificate authority is trusted");
    if (!material.ca_pem.empty()) {
      auto certificates = read_certificates(material.ca_pem, "the CA file");
      if (!certificates) return certificates.error();
      for (const CertificatePtr& certificate : *certificates) X509_STORE_add_cert(store.get(), certificate.get());
    }
    if (!directory.empty() && (!exists(directory) || !X509_STORE_load_path(store.get(), directory.c_str()))) {
      return tls_misuse("the CA directory " + directory + " cannot be read");
    }
  }
  return shared.insert(key, std::move(store));
}

Result<void> use_client_certificate(SSL_CTX* context, const TlsMaterial& material) {
  if (material.certificate_pem.empty()) {
    if (material.key_pem.empty()) return {};
    return tls_misuse("a private key was given without a client certificate");
  }
  auto chain = read_certificates(material.certificate_pem, "the client certificate");
  if (!chain) return chain.error();
  // Many tools write both into one file.
  const std::string& key_pem = material.key_pem.empty() ? material.certificate_pem : material.key_pem;
  BioPtr bio = view_of(key_pem);
  KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  if (!key) {
    if (key_pem.find("ENCRYPTED") != std::string::npos) {
      return tls_misuse("the private key is protected by a password; give it unencrypted");
    }
    return tls_misuse("the private key cannot be read as PEM: " + take_error_text());
  }
  if (X509_check_private_key(chain->front().get(), key.get()) != 1) {
    return tls_misuse("the private key does not belong to the client certificate");
  }
  clear_errors();
  if (SSL_CTX_use_certificate(context, chain->front().get()) != 1 || SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    return tls_misuse("the client certificate was refused: " + take_error_text());
  }
  for (auto link = std::next(chain->begin()); link != chain->end(); ++link) {
    if (SSL_CTX_add1_chain_cert(context, link->get()) != 1) {
      return tls_misuse("the client certificate's chain was refused: " + take_error_text());
    }
  }
  return {};
}

Result<std::shared_ptr<TlsContext>> make_context(const TlsMaterial& material) {
  clear_errors();
  SslContextPtr context(SSL_CTX_new(TLS_client_method()));
  if (!context) {
    return Error(ErrorCode::tls_failed, Phase::tls, "OpenSSL cannot make a context: " + take_error_text());
  }
  SSL_CTX* raw = context.get();
  const int minimum = material.minimum_version == TlsVersion::tls_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
  SSL_CTX_set_min_proto_version(raw, minimum);
  // No SSL_OP_ENABLE_KTLS: it wants OpenSSL to own the socket, and many kernels are built without it.
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // An idle connection gives its two record buffers back, 34 KB.
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // The stream hears of every ticket, wanted or not.
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(raw, tls_session_arrived);
  if (!material.session_resumption) SSL_CTX_set_options(raw, SSL_OP_NO_TICKET);
  std::shared_ptr<X509_STORE> store;
  if (material.verify) {
    auto made = make_store(material);
    if (!made) return made.error();
    store = *std::move(made);
    SSL_CTX_set1_verify_cert_store(raw, store.get());
    SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, tls_certificate_judged);
  } else {
    SSL_CTX_set_verify(raw, SSL_VERIFY_NONE, nullptr);
  }
  auto certified = use_client_certificate(raw, material);
  if (!certified) return certified.error();
  return std::make_shared<TlsContext>(std::move(context), std::move(store), material);
}

}  // namespace

std::string take_error_text() {
  const unsigned long code = ERR_peek_error();
  ERR_clear_error();
  if (ERR_SYSTEM_ERROR(code)) return std::generic_category().message(ERR_GET_REASON(code));  // OpenSSL has no words
  const char* reason = code ? ERR_reason_error_string(code) : nullptr;
  return reason ? reason : "unknown error";
}

Result<std::shared_ptr<TlsContext>> make_tls_context(const TlsMaterial& material) {
  const std::string key = digest_of({material.system_roots ? "system" : "own", material.ca_pem, material.ca_directory,
                                     material.certificate_pem, material.key_pem, material.verify ? "verify" : "skip",
                                     material.minimum_version == TlsVersion::tls_1_3 ? "1.3" : "1.2",
                                     material.session_resumption ? "resume" : "full"});
  auto& shared = per_process<Shared<TlsContext>>();
  if (auto present = shared.find(key)) return present;
  auto made = make_context(material);
  if (!made) return made;
  return shared.insert(key, *std::move(made));
}

LazyTlsContext::LazyTlsContext(TlsMaterial material) : material_(std::move(material)) {}

Result<std::shared_ptr<TlsContext>> LazyTlsContext::get() {
  std::lock_guard lock(mutex_);
  if (context_) return context_;
  auto made = make_tls_context(material_);
  if (!made) return made;
  context_ = *made;
  // The material has done its work; a key should not stay in memory for longer than needed.
  OPENSSL_cleanse(material_.key_pem.data(), material_.key_pem.size());
  OPENSSL_cleanse(material_.certificate_pem.data(), material_.certificate_pem.size());
  material_ = {};
  return context_;
}

bool LazyTlsContext::ready() const {
  std::unique_lock lock(mutex_, std::try_to_lock);  // who holds it may be parsing
  return lock && context_;
}

}  // namespace trunkline::net
