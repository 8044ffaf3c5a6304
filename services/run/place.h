// Where things stand: the names of fields in a document, and files beside it.
#pragma once

#include <cstddef>
#include <string>

#include "services/config/document.h"

namespace trunkline::run {

// The full name of a node's child: "scrape.jobs[0].name".
std::string field_of(const config::Node& parent, std::size_t child, const std::string& name_of_parent);

// A relative path counts from `folder`; an absolute or empty one stays.
std::string from_folder(const std::string& folder, const std::string& path);
// Of a configuration file; of stdin, "-", the working directory. Absolute.
std::string folder_of(const std::string& file);

}  // namespace trunkline::run
