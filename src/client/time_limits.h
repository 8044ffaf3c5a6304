// When a time limit passes, and what it is called then, for people.
#pragma once

#include <string_view>

#include <trunkline/error.hpp>
#include <trunkline/options.hpp>

#include "base/clock.h"

namespace trunkline {

// No limit is zero, and so is one that nobody will see the end of.
inline TimePoint after(TimePoint start, Duration limit) {
  return limit > Duration::zero() && limit < never - start ? start + limit : never;
}

inline std::string_view time_limit_message(ErrorCode code) {
  switch (code) {
    case ErrorCode::timeout_write:
      return "the server has taken no more of the request for too long";
    case ErrorCode::timeout_first_byte:
      return "the server has not begun to answer in time";
    case ErrorCode::timeout_idle_read:
      return "the server has sent no more of the response for too long";
    default:
      return "the time limit of the whole request has passed";
  }
}

}  // namespace trunkline
