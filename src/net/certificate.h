// What is wrong with a certificate, in words that name it.
#pragma once

#include <openssl/x509.h>

#include <string>

namespace trunkline::net {

// From within a verification that failed. `wanted` is the name that the certificate should hold.
std::string certificate_complaint(X509_STORE_CTX* store, const std::string& wanted);

}  // namespace trunkline::net
