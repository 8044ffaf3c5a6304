#include "net/certificate.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "base/sha256.h"
#include "base/text.h"
#include "net/openssl.h"

namespace trunkline::net {
namespace {

std::string subject_of(X509* certificate) {
  BioPtr bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(certificate), 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return size > 0 ? printable({text, static_cast<std::size_t>(size)}, 120) : "no subject";
}

// The names that the certificate is for: the first few.
std::string names_of(X509* certificate) {
  using Names = std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>>;
  const Names names(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  constexpr int most = 5;
  const int count = names ? sk_GENERAL_NAME_num(names.get()) : 0;
  std::string text;
  for (int i = 0; i < std::min(count, most); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    std::string one;
    if (name->type == GEN_DNS) {
      one.assign(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                 static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
    } else if (name->type == GEN_IPADD) {
      char address[INET6_ADDRSTRLEN] = "?";
      const int size = ASN1_STRING_length(name->d.iPAddress);
      if (size == 4 || size == 16) {
        inet_ntop(size == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(name->d.iPAddress), address, sizeof address);
      }
      one = address;
    } else {
      continue;
    }
    if (!text.empty()) text += ", ";
    text += printable(one, 64);
  }
  if (count > most) text += ", ...";
  return text.empty() ? "no name at all (a common name does not count)" : text;
}

}  // namespace

std::string certificate_complaint(X509_STORE_CTX* store, const std::string& wanted) {
  const int reason = X509_STORE_CTX_get_error(store);
  std::string sentence = X509_verify_cert_error_string(reason);
  X509* certificate = X509_STORE_CTX_get_current_cert(store);
  if (!certificate) return sentence;
  if (reason == X509_V_ERR_HOSTNAME_MISMATCH || reason == X509_V_ERR_IP_ADDRESS_MISMATCH) {
    return "the certificate is not for " + printable(wanted) + " but for " + names_of(certificate);
  }
  return sentence + " (certificate: " + subject_of(certificate) + ")";
}

std::string certificate_subject(const X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return size > 0 ? printable({text, static_cast<std::size_t>(size)}, 1024) : std::string();
}

std::string certificate_fingerprint(const X509* certificate) {
  Sha256::Digest digest{};
  unsigned int size = 0;
  if (X509_digest(certificate, EVP_sha256(), reinterpret_cast<unsigned char*>(digest.data()), &size) != 1) return {};
  return hex(digest);
}

}  // namespace trunkline::net
