// Fields that are empty when nothing is said. Nothing is printed of them then: an empty text would look like a choice.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "services/config/reader.h"
#include "services/config/writer.h"
#include "services/run/place.h"

namespace trunkline::run {

// A relative path counts from `folder`.
inline void path_field(config::Reader& io, std::string_view name, std::string& path, const std::string& folder) {
  io.text(name, path);
  path = from_folder(folder, path);
}
inline void path_field(config::Writer& io, std::string_view name, const std::string& path,
                       const std::string& /*folder*/) {
  if (!path.empty()) io.text(name, path);
}
inline void optional_text(config::Reader& io, std::string_view name, std::string& text) { io.text(name, text); }
inline void optional_text(config::Writer& io, std::string_view name, const std::string& text) {
  if (!text.empty()) io.text(name, text);
}
inline void optional_texts(config::Reader& io, std::string_view name, std::vector<std::string>& texts) {
  io.texts(name, texts);
}
inline void optional_texts(config::Writer& io, std::string_view name, const std::vector<std::string>& texts) {
  if (!texts.empty()) io.texts(name, texts);
}

}  // namespace trunkline::run
