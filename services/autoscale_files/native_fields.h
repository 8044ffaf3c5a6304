// The native policy's fields, for reading and printing alike.
#pragma once

#include "services/autoscale/policy.h"
#include "services/config/reader.h"
#include "services/config/writer.h"

namespace trunkline::autoscale {

// Reads into what `policy` holds already, so that what is not said keeps its default.
void native_fields(config::Reader& io, NativePolicy& policy);
void native_fields(config::Writer& io, NativePolicy& policy);

}  // namespace trunkline::autoscale
