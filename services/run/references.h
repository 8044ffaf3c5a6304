// ${env:NAME} and ${file:PATH} in a document: what they stand for goes in, marked as secret, and a list is kept of what
// stood there, so that whoever prints puts it back. All other ${...} are left as they are.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "services/config/document.h"
#include "services/config/reader.h"

namespace trunkline::run {

struct Surroundings {
  std::function<std::optional<std::string>(const std::string& name)> environment;
  std::function<Result<std::string>(const std::string& path)> file;
};
// The process's own. Relative paths count from `folder`.
Surroundings surroundings(const std::string& folder);

// One scalar of the document that held references.
struct Reference {
  std::string field;    // "scrape.jobs[0].bearer_token"
  std::string written;  // "${file:/run/token}"
  std::string value;    // never to be printed
};

// "$${env:" and "$${file:" stand for themselves without the first "$". The line end at the end of a file does not
// count.
std::vector<Reference> resolve_references(config::Node& document, const Surroundings& surroundings,
                                          config::Problems& problems);

// In a document that was made of what was read: the same fields are again what stood there. Of a field that is no more,
// every scalar with that value.
void restore_references(config::Node& document, const std::vector<Reference>& references);

}  // namespace trunkline::run
