#include "support/certificates.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdexcept>

namespace trunkline::test {
namespace {

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using X509Pointer = std::unique_ptr<X509, Deleter<X509_free>>;
using BioPointer = std::unique_ptr<BIO, Deleter<BIO_free>>;

void must(bool good, const char* what) {
  if (!good) throw std::runtime_error(std::string("certificates: ") + what);
}

std::string text_of(const BioPointer& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string pem_of(X509* certificate) {
  const BioPointer bio(BIO_new(BIO_s_mem()));
  must(PEM_write_bio_X509(bio.get(), certificate) == 1, "PEM");
  return text_of(bio);
}

std::string pem_of(EVP_PKEY* key) {
  const BioPointer bio(BIO_new(BIO_s_mem()));
  must(PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1, "PEM");
  return text_of(bio);
}

Key new_key() { return Key(EVP_EC_gen("P-256")); }

void extend(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  must(extension != nullptr, value.c_str());
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// Byte for byte, which the text form of extensions cannot do.
void add_raw_name(X509* certificate, const std::string& name) {
  GENERAL_NAMES* const names = sk_GENERAL_NAME_new_null();
  GENERAL_NAME* const one = GENERAL_NAME_new();
  ASN1_IA5STRING* const text = ASN1_IA5STRING_new();
  ASN1_STRING_set(text, name.data(), static_cast<int>(name.size()));
  GENERAL_NAME_set0_value(one, GEN_DNS, text);
  sk_GENERAL_NAME_push(names, one);
  must(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1, "raw name");
  sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
}

X509Pointer make(const CertificateRequest& request, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key) {
  X509Pointer made(X509_new());
  X509* const certificate = made.get();
  const bool is_authority = issuer == nullptr;
  X509_set_version(certificate, 2);
  std::uint64_t serial = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1);
  X509_time_adj_ex(X509_getm_notBefore(certificate), request.valid_from_days, 0, nullptr);
  X509_time_adj_ex(X509_getm_notAfter(certificate), request.valid_until_days, 0, nullptr);
  X509_set_pubkey(certificate, key);
  X509_NAME* const subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(request.common_name.data()),
                             static_cast<int>(request.common_name.size()), -1, 0);
  X509_set_issuer_name(certificate, is_authority ? subject : X509_get_subject_name(issuer));
  X509* const from = is_authority ? certificate : issuer;
  extend(certificate, from, NID_basic_constraints, is_authority ? "critical,CA:TRUE" : "CA:FALSE");
  extend(certificate, from, NID_subject_key_identifier, "hash");
  extend(certificate, from, NID_authority_key_identifier, "keyid");
  if (is_authority) extend(certificate, from, NID_key_usage, "critical,keyCertSign,cRLSign");
  if (!is_authority && !request.names.empty()) extend(certificate, from, NID_subject_alt_name, request.names);
  if (!request.raw_dns_name.empty()) add_raw_name(certificate, request.raw_dns_name);
  must(X509_sign(certificate, is_authority ? key : issuer_key, EVP_sha256()) > 0, "signature");
  return made;
}

Certificate save(X509* certificate, EVP_PKEY* key) {
  static int count = 0;
  const std::string name = "certificates/" + std::to_string(++count);
  Certificate saved;
  saved.certificate = pem_of(certificate);
  saved.key = pem_of(key);
  saved.certificate_file = test_files().write(name + ".pem", saved.certificate);
  saved.key_file = test_files().write(name + ".key", saved.key);
  return saved;
}

}  // namespace

struct Authority::Keys {
  Key key;
  X509Pointer certificate;
};

Authority::Authority(const std::string& name) : keys_(std::make_unique<Keys>()) {
  keys_->key = new_key();
  CertificateRequest request;
  request.common_name = name;
  keys_->certificate = make(request, keys_->key.get(), nullptr, nullptr);
  own_ = save(keys_->certificate.get(), keys_->key.get());
}

Authority::~Authority() = default;

Certificate Authority::issue(const CertificateRequest& request) const {
  const Key key = new_key();
  const X509Pointer made = make(request, key.get(), keys_->certificate.get(), keys_->key.get());
  return save(made.get(), key.get());
}

Certificate Authority::issue(const CertificateRequest& request, const Certificate& with_key_of) const {
  const BioPointer bio(BIO_new_mem_buf(with_key_of.key.data(), static_cast<int>(with_key_of.key.size())));
  const Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  const X509Pointer made = make(request, key.get(), keys_->certificate.get(), keys_->key.get());
  return save(made.get(), key.get());
}

const TempDir& test_files() {
  static const TempDir directory;
  return directory;
}

const Authority& authority() {
  static const Authority made("Trunkline test authority");
  return made;
}

const Authority& other_authority() {
  static const Authority made("Another test authority");
  return made;
}

const Certificate& server_certificate() {
  static const Certificate made = authority().issue();
  return made;
}

const Certificate& client_certificate() {
  static const Certificate made = authority().issue({.common_name = "client", .names = "DNS:client"});
  return made;
}

}  // namespace trunkline::test
