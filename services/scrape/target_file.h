// The target files of Prometheus (file_sd): lists of targets with labels, as JSON or YAML. Text in, targets out.
//
//   [{"targets": ["10.0.0.1:9090", "10.0.0.2:9090"], "labels": {"app": "backend"}}]
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include <trunkline/result.hpp>

#include "services/scrape/target.h"

namespace trunkline::scrape {

enum class FileFormat : unsigned char { json, yaml };
// By the ending, as Prometheus does: .json, .yml, .yaml.
Result<FileFormat> file_format(std::string_view path);

// All of it or nothing: half a list would look like pods that went away. At most 100,000 targets.
Result<std::vector<TargetPtr>> parse_targets(std::string_view text, FileFormat format,
                                             const std::shared_ptr<const Job>& job);

}  // namespace trunkline::scrape
