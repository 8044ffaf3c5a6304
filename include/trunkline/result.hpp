// A value or an Error. Spelt like std::expected, which C++20 does not have.
#pragma once

#include <cassert>
#include <memory>
#include <optional>
#include <utility>

#include <trunkline/error.hpp>

namespace trunkline {

template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : value_(std::move(value)) {}                               // NOLINT: implicit on purpose
  explicit Result(std::in_place_t) : value_(std::in_place) {}                 // a value made by its default constructor
  Result(Error error) : error_(std::make_unique<Error>(std::move(error))) {}  // NOLINT: implicit on purpose
  Result(Result&&) noexcept = default;
  Result& operator=(Result&&) noexcept = default;
  Result(const Result& other)
    requires std::is_copy_constructible_v<T>
      : value_(other.value_), error_(other.error_ ? std::make_unique<Error>(*other.error_) : nullptr) {}
  Result& operator=(const Result& other)
    requires std::is_copy_constructible_v<T>
  {
    return *this = Result(other);
  }
  ~Result() = default;

  bool has_value() const { return value_.has_value(); }
  explicit operator bool() const { return has_value(); }

  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(value()); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // The value; asking for it when there is an error is a bug of the caller.
  T& value() & {
    assert(value_ && "value() of a Result that holds an error");
    return *value_;
  }
  const T& value() const& {
    assert(value_ && "value() of a Result that holds an error");
    return *value_;
  }
  T&& value() && { return std::move(value()); }
  T value_or(T other) && { return value_ ? std::move(*value_) : std::move(other); }

  const Error& error() const& {
    assert(error_ && "error() of a Result that holds a value");
    return *error_;
  }
  Error&& error() && { return std::move(*error_); }

 private:
  std::optional<T> value_;
  std::unique_ptr<Error> error_;  // apart, so that a Result is hardly larger than its value
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::make_unique<Error>(std::move(error))) {}  // NOLINT: implicit on purpose

  bool has_value() const { return !error_; }
  explicit operator bool() const { return has_value(); }
  const Error& error() const& {
    assert(error_ && "error() of a Result that holds a value");
    return *error_;
  }
  Error&& error() && { return std::move(*error_); }

 private:
  std::unique_ptr<Error> error_;
};

}  // namespace trunkline
