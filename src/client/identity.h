// Who shares what with whom: two fingerprints of Options, from the one table in option_fields.cc. `handle` covers every
// setting and decides which Transport::shared() one gets; `wire` covers those that change what goes over the wire and
// decides which sockets. Files count by content. Neither holds a secret, only digests of them.
#pragma once

#include <string>

#include <trunkline/options.hpp>
#include <trunkline/result.hpp>

#include "net/tls.h"

namespace trunkline {

struct Identity {
  std::string handle;  // hex SHA-256
  std::string wire;    // hex SHA-256
};

// What is hashed: a version, a tag, then number, length and bytes of each field that is present.
struct SerializedOptions {
  std::string handle;
  std::string wire;
};
Result<SerializedOptions> serialize(const Options& options);

// Reads no file whose digest is known, so it may be asked for every request. Fails when a file cannot be read. Settings
// that make no sense have an identity too: check() refuses them.
Result<Identity> identify(const Options& options);
// Its handle alone, for finding what has been made before: half the work.
Result<std::string> fingerprint(const Options& options);

// Reads the files, all of them. `name` is the setting's, for errors: "tls" or "proxy_tls".
Result<net::TlsMaterial> load_tls_material(const TlsOptions& tls, const std::string& name = "tls");

struct IdentifiedMaterial {
  Identity identity;
  net::TlsMaterial material;
  net::TlsMaterial proxy_material;  // of proxy_tls
};
// All of it, belonging together even when the files are being renewed meanwhile.
Result<IdentifiedMaterial> identify_and_load(const Options& options);

}  // namespace trunkline
