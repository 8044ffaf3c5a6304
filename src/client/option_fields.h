// The one table of every setting in Options: its name, what it splits, how it becomes bytes, how to reach it. What
// must treat all settings alike (fingerprints, compare(), check(), the tests that change each in turn) goes through it,
// and a new setting that has no row stops the build.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <trunkline/options.hpp>

namespace trunkline {

enum class FieldClass : unsigned char {
  wire,    // splits the sockets, and so the handles
  handle,  // splits the handles only
  none,    // splits nothing
};

// How the value becomes bytes. Integers, durations, flags and enumerations: `plain`, little-endian, of fixed width.
enum class FieldForm : unsigned char {
  plain,      // as it is; a text is there even when it is empty
  optional,   // a text that is absent when empty
  digest,     // a text that is long or secret: its SHA-256, absent when empty
  file,       // a path: the SHA-256 of what the file holds, absent when empty
  directory,  // a path: the SHA-256 of names and contents, absent when empty
  proxy,      // a proxy's URL: its kind and place, and the SHA-256 of its credentials; absent when direct
  overrides,  // host:port -> address, in the order of the lower-case hosts
};

using Overrides = std::vector<std::pair<std::string, std::string>>;

template <class T>
struct FieldAccess {
  const T& (*read)(const Options&);
  T& (*write)(Options&);
};

struct OptionField {
  std::string_view name;  // "tls.ca_file"
  FieldClass cls;
  FieldForm form;
  std::variant<FieldAccess<std::string>, FieldAccess<bool>, FieldAccess<int>, FieldAccess<std::size_t>,
               FieldAccess<Duration>, FieldAccess<TlsVersion>, FieldAccess<Protocol>, FieldAccess<Overrides>,
               FieldAccess<std::shared_ptr<const AddressGuard>>>
      access;
};

// In the order of the structs. The place in this table is the field's number in what is hashed.
std::span<const OptionField> option_fields();

}  // namespace trunkline
