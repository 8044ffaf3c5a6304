// Where bytes go: stdout or a file. A reader that has gone away (`| head`) is no news worth printing.
#pragma once

#include <string>
#include <string_view>

namespace trunkline::cli {

class Output {
 public:
  static Output to_stdout() { return Output(1, false); }
  static Output to_file(const std::string& path);  // made, or emptied; a failure shows at the first write
  // The file stays as it was until finish(): what is written lies beside it and takes its place then; not at all when
  // something failed or nobody finishes. What is no regular file, a pipe or a device, is written to directly.
  static Output replacing(const std::string& path);
  Output(Output&& other) noexcept;
  Output& operator=(Output&&) = delete;
  ~Output();

  // All of it, or false. Blocks while the reader is slow.
  bool write(std::string_view bytes);
  bool finish();  // closes; false when not everything arrived

  bool failed() const { return failure_ != 0; }
  bool reader_gone() const;     // EPIPE
  std::string failure() const;  // in words

 private:
  Output(int fd, bool owns) : fd_(fd), owns_(owns) {}

  int fd_;
  bool owns_;
  std::string path_ = {};    // to be replaced
  std::string beside_ = {};  // until then
  int failure_ = 0;          // errno of the first failure; later writes are dropped
};

}  // namespace trunkline::cli
