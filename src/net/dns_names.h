// Which names are looked up, and as what: names that mean something by themselves, and the search list of resolv.conf.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace trunkline::net {

enum class NameKind : unsigned char {
  ordinary,
  loopback,    // localhost and what is below it (RFC 6761): never asked of a name server
  nowhere,     // .invalid (RFC 6761) and .onion (RFC 7686): known not to exist
  not_a_name,  // too long, or with characters or an ending (a number) that other libraries read as an address
};

// Upper and lower case mean the same; a dot at the end is not looked at.
NameKind kind_of_name(std::string_view name);

// What to ask for, in order. A name with a dot at the end is asked for as it is, without it.
std::vector<std::string> search_list(std::string_view name, const std::vector<std::string>& domains, int ndots);

}  // namespace trunkline::net
