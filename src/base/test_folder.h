// For tests: a folder of their own, removed with all that is in it. A fixture may be derived from it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace trunkline {

class TestFolder {
 public:
  TestFolder() {
    if (::mkdtemp(folder_.data()) == nullptr) throw std::runtime_error("mkdtemp " + folder_);
  }
  ~TestFolder() { std::filesystem::remove_all(folder_); }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  const std::string& folder() const { return folder_; }
  std::string path(const std::string& name) const { return folder_ + "/" + name; }

  // Both give the file's path. The second does it as a careful writer: beside, and then in its place.
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }
  std::string replace(const std::string& name, const std::string& text) const {
    std::filesystem::rename(write(name + ".new", text), path(name));
    return path(name);
  }

 private:
  std::string folder_ = std::filesystem::temp_directory_path() / "trunkline-XXXXXX";
};

}  // namespace trunkline
