// Columns that line up, as wide as what stands in them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace trunkline::cli {

class Table {
 public:
  // A heading that begins with ">" is that of numbers, which stand to the right.
  explicit Table(std::vector<std::string> headings);
  void add(std::vector<std::string> cells);  // as many as there are headings
  bool empty() const { return rows_.size() == 1; }
  // Each line begins with `indent` blanks and ends without any.
  std::string print(std::size_t indent) const;

 private:
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace trunkline::cli
