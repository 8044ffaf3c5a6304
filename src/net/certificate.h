// What certificates are called, and what is wrong with them, in words.
#pragma once

#include <openssl/x509.h>

#include <string>

namespace trunkline::net {

// From within a verification that failed. `wanted` is the name that the certificate should hold.
std::string certificate_complaint(X509_STORE_CTX* store, const std::string& wanted);

std::string certificate_subject(const X509* certificate);      // RFC 2253: "CN=worker,O=Example"
std::string certificate_fingerprint(const X509* certificate);  // SHA-256 in hex

}  // namespace trunkline::net
