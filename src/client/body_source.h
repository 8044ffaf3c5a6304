// Questions to a request's body source, which is the user's code: what it throws is a body that failed. It must not end
// the loop that asked, nor unwind a C library's frames.
#pragma once

#include <algorithm>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <trunkline/body.hpp>

namespace trunkline {

inline BodySource::Pull pull_from(BodySource& source, std::span<char> into, Callback<void()> resume) {
  try {
    BodySource::Pull pull = source.pull(into, std::move(resume));
    if (pull.kind != BodySource::Pull::bytes) return pull;
    // It would look like the end of the body.
    if (pull.size == 0)
      return {BodySource::Pull::failed, 0, "its source gave no byte and did not say that it was the end"};
    pull.size = std::min(pull.size, into.size());
    return pull;
  } catch (const std::exception& thrown) {
    return {BodySource::Pull::failed, 0, thrown.what()};
  } catch (...) {
    return {BodySource::Pull::failed, 0, "its source threw what is no std::exception"};
  }
}

// Nothing: it threw.
inline std::optional<Headers> trailers_of(BodySource& source) {
  try {
    return source.trailers();
  } catch (...) {
    return std::nullopt;
  }
}

inline Error trailers_threw() {
  return {ErrorCode::body_source_failed, Phase::send, "the request body's source threw when it was asked for trailers"};
}

inline bool rewind_source(BodySource& source) {
  try {
    return source.rewind();
  } catch (...) {
    return false;
  }
}

}  // namespace trunkline
