// Certificates for tests, made when they are asked for and good for a day: with libcrypto, because the openssl program
// can neither write an expired certificate nor a NUL into a name, and takes fifty times as long.
#pragma once

#include <memory>
#include <string>

#include "support/process.h"

namespace trunkline::test {

// PEM, in memory and in files.
struct Certificate {
  std::string certificate;
  std::string key;
  std::string certificate_file;
  std::string key_file;
};

struct CertificateRequest {
  std::string common_name = "localhost";
  std::string names = "DNS:localhost,IP:127.0.0.1,IP:::1";  // subjectAltName; empty: none
  std::string raw_dns_name;                                 // one more DNS name, taken byte for byte
  int valid_from_days = -1;                                 // from now
  int valid_until_days = 1;
};

class Authority {
 public:
  explicit Authority(const std::string& name);
  ~Authority();

  const std::string& pem() const { return own_.certificate; }
  const std::string& file() const { return own_.certificate_file; }
  Certificate issue(const CertificateRequest& request = {}) const;
  // The same names and the same key again, as after a renewal.
  Certificate issue(const CertificateRequest& request, const Certificate& with_key_of) const;

 private:
  struct Keys;
  std::unique_ptr<Keys> keys_;
  Certificate own_;
};

// Made once per process.
const Authority& authority();             // the one that tests trust
const Authority& other_authority();       // and one that they don't
const Certificate& server_certificate();  // localhost, 127.0.0.1 and ::1, by authority()
const Certificate& client_certificate();  // "client", by authority()
const TempDir& test_files();

}  // namespace trunkline::test
