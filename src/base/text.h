// Text as people and other programs write it: durations, sizes, base64, JSON strings, and safe printing of unsafe
// bytes.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include <trunkline/result.hpp>

namespace trunkline {

// "500ms", "30s", "1.5s", "5m", "1h30m", "2d"; a bare number is seconds. Units: ns us ms s m h d, larger before
// smaller. Never negative. Refused: other units, signs, more than 9 decimals, more than 292 years.
Result<std::chrono::nanoseconds> parse_duration(std::string_view text);

// The shortest text that parse_duration reads as the same duration: "1.5s", "90m", "250us", "0s".
std::string print_duration(std::chrono::nanoseconds duration);

// "512", "64KiB", "1MB", "16k", "1.5GiB" in bytes. KiB, MiB, ... and bare k, m, g, t are powers of 1024, as in nginx
// and curl; kB, MB, ... are powers of 1000. Upper and lower case mean the same.
Result<std::uint64_t> parse_size(std::string_view text);

// The largest binary unit that is exact: "64KiB", "1MiB", "1000B".
std::string print_size(std::uint64_t bytes);

// RFC 4648 with padding.
std::string base64(std::string_view bytes);

// Bytes as a JSON string with its quotes. What is not UTF-8 becomes U+FFFD, so the result is always valid JSON.
std::string json_string(std::string_view bytes);
void append_json_string(std::string& out, std::string_view bytes);

// For messages and logs: what is not printable ASCII becomes \n, \r, \t or \xHH, so a peer cannot write to a terminal
// or add lines to a log. Cut with "..." after `limit_bytes` of input.
std::string printable(std::string_view bytes, std::size_t limit_bytes = 256);

// A to Z made small, all else as it is.
std::string in_small_letters(std::string_view text);

// The length of the UTF-8 character at the start of `bytes`: 1 to 4, or 0 when it is not valid (RFC 3629).
std::size_t utf8_length(std::string_view bytes);
bool is_utf8(std::string_view text);

}  // namespace trunkline
