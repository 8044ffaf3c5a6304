// A moment that a person writes into a policy: RFC 3339 ("2026-11-21T15:00:00Z"), or seconds since 1970. In the
// engine's time, which live counts from 1970 too; in a recording it is whatever `t` counts from.
#pragma once

#include <optional>
#include <string_view>

#include "services/config/reader.h"
#include "services/config/writer.h"

namespace trunkline::autoscale {

std::optional<TimePoint> read_moment(std::string_view text);

void moment_field(config::Reader& io, std::string_view name, TimePoint& moment);
void moment_field(config::Writer& io, std::string_view name, TimePoint moment);  // `never` is left out

}  // namespace trunkline::autoscale
