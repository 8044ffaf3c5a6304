// Header fields in the order they were sent. Names compare without case, as HTTP says; values are kept as they are.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trunkline {

// All bytes live in one string and every field is four numbers, so a response's headers cost two allocations.
class Headers {
 public:
  struct Field {
    std::string_view name;
    std::string_view value;
  };

  Headers() = default;
  Headers(std::initializer_list<std::pair<std::string_view, std::string_view>> fields);

  void add(std::string_view name, std::string_view value);  // appends, keeping others of that name
  void set(std::string_view name, std::string_view value);  // replaces all of that name
  void remove(std::string_view name);
  void clear();

  std::optional<std::string_view> get(std::string_view name) const;  // the first of that name
  bool contains(std::string_view name) const { return get(name).has_value(); }
  std::vector<std::string_view> get_all(std::string_view name) const;

  std::size_t size() const { return fields_.size(); }
  bool empty() const { return fields_.empty(); }
  Field operator[](std::size_t index) const {
    const Slot& slot = fields_[index];
    return {std::string_view(bytes_).substr(slot.name, slot.name_length),
            std::string_view(bytes_).substr(slot.value, slot.value_length)};
  }

  class Iterator {
   public:
    Iterator(const Headers* headers, std::size_t index) : headers_(headers), index_(index) {}
    Field operator*() const { return (*headers_)[index_]; }
    Iterator& operator++() {
      ++index_;
      return *this;
    }
    bool operator==(const Iterator& other) const { return index_ == other.index_; }

   private:
    const Headers* headers_;
    std::size_t index_;
  };
  Iterator begin() const { return {this, 0}; }
  Iterator end() const { return {this, size()}; }

  // For codecs: takes a message head as its bytes and points fields into it, so that nothing is copied twice.
  // Offsets count from the start of `bytes`.
  struct Slot {
    std::uint32_t name;
    std::uint32_t name_length;
    std::uint32_t value;
    std::uint32_t value_length;
  };
  static Headers adopt(std::string bytes, std::vector<Slot> fields);

 private:
  std::string bytes_;
  std::vector<Slot> fields_;
};

// ASCII without case: header names, schemes and host names.
bool equals_ignore_case(std::string_view a, std::string_view b);

}  // namespace trunkline
