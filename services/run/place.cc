#include "services/run/place.h"

#include <filesystem>

namespace trunkline::run {

std::string field_of(const config::Node& parent, std::size_t child, const std::string& name_of_parent) {
  if (parent.kind == config::Node::Kind::list) return name_of_parent + '[' + std::to_string(child) + ']';
  const std::string& key = parent.children[child].key;
  return name_of_parent.empty() ? key : name_of_parent + '.' + key;
}

std::string from_folder(const std::string& folder, const std::string& path) {
  if (path.empty() || path.front() == '/') return path;
  return (std::filesystem::path(folder) / path).lexically_normal().string();
}

std::string folder_of(const std::string& file) {
  std::error_code ignored;
  if (file == "-") return std::filesystem::current_path(ignored).string();
  const std::filesystem::path whole = std::filesystem::absolute(file, ignored);
  return whole.parent_path().string();
}

}  // namespace trunkline::run
