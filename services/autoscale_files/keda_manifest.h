// keda.sh, ScaledObject: as much of it as has a native counterpart. Whatever else it says becomes a note.
#pragma once

#include <string_view>

#include "services/autoscale_files/import.h"
#include "services/config/document.h"

namespace trunkline::autoscale {

Result<Imported> read_scaled_object(const config::Node& document, std::string_view file);

}  // namespace trunkline::autoscale
