// Header fields in the order they were sent. Names compare without case, as HTTP says; values are kept as they are.
#pragma once

#include <cassert>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trunkline {

// All of it lives in one string, the text first and then four numbers for each field: a response's headers cost one
// allocation.
class Headers {
 public:
  struct Field {
    std::string_view name;
    std::string_view value;
  };

  // For codecs: where a field stands in a text.
  struct Slot {
    std::uint32_t name;
    std::uint32_t name_length;
    std::uint32_t value;
    std::uint32_t value_length;
  };

  Headers() = default;
  Headers(const Headers&) = default;
  Headers& operator=(const Headers&) = default;
  Headers(Headers&& other) noexcept
      : bytes_(std::move(other.bytes_)),
        text_size_(std::exchange(other.text_size_, 0)),
        count_(std::exchange(other.count_, 0)) {}
  Headers& operator=(Headers&& other) noexcept {
    bytes_ = std::move(other.bytes_);
    text_size_ = std::exchange(other.text_size_, 0);
    count_ = std::exchange(other.count_, 0);
    return *this;
  }
  ~Headers() = default;
  Headers(std::initializer_list<std::pair<std::string_view, std::string_view>> fields);

  void add(std::string_view name, std::string_view value);  // appends, keeping others of that name
  void set(std::string_view name, std::string_view value);  // replaces all of that name
  void remove(std::string_view name);
  void clear();

  std::optional<std::string_view> get(std::string_view name) const;  // the first of that name
  bool contains(std::string_view name) const;
  std::vector<std::string_view> get_all(std::string_view name) const;

  std::size_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  Field operator[](std::size_t index) const {
    const Slot found = slot(index);
    return {{bytes_.data() + found.name, found.name_length}, {bytes_.data() + found.value, found.value_length}};
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

  // For codecs: a message head as it came, and where its fields are in it.
  static Headers adopt(std::string_view text, std::span<const Slot> fields);

 private:
  Slot slot(std::size_t index) const {
    assert(index < count_);
    Slot slot;
    std::memcpy(&slot, bytes_.data() + text_size_ + index * sizeof slot, sizeof slot);
    return slot;
  }

  // The memory of messages' heads comes and goes with every request: the thread that frees it keeps some of it.
  struct Memory {
    using value_type = char;
    template <class>
    struct rebind {  // NOLINT: std::allocator_traits names it
      using other = Memory;
    };
    char* allocate(std::size_t size);
    void deallocate(char* bytes, std::size_t size) noexcept;
    bool operator==(const Memory&) const = default;
  };

  std::basic_string<char, std::char_traits<char>, Memory> bytes_;  // the text, and behind it a Slot for each field
  std::uint32_t text_size_ = 0;
  std::uint32_t count_ = 0;
};

// ASCII without case: header names, schemes and host names.
bool equals_ignore_case(std::string_view a, std::string_view b);

}  // namespace trunkline
