// The short spellings of a recording: "values", "requests" and "external" as plain mappings from name to number where
// nothing more is to be said, and as lists of mappings where there is.
#pragma once

#include <vector>

#include "services/autoscale/snapshot.h"
#include "services/config/reader.h"
#include "services/config/writer.h"

namespace trunkline::autoscale {

void samples_fields(config::Reader& io, std::vector<Sample>& samples, TimePoint now);
void samples_fields(config::Writer& io, std::vector<Sample>& samples, TimePoint now);

void requests_field(config::Reader& io, std::vector<ResourceRequest>& requests);
void requests_field(config::Writer& io, std::vector<ResourceRequest>& requests);

void external_field(config::Reader& io, std::vector<ExternalValue>& external);
void external_field(config::Writer& io, std::vector<ExternalValue>& external);

}  // namespace trunkline::autoscale
