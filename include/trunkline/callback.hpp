// A callable that is moved, called once or more, and never copied: std::move_only_function, which C++20 does not have.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace trunkline {

template <class Signature>
class Callback;

template <class R, class... Args>
class Callback<R(Args...)> {
 public:
  Callback() = default;
  Callback(std::nullptr_t) {}  // NOLINT: implicit on purpose

  template <class F, class = std::enable_if_t<!std::is_same_v<std::decay_t<F>, Callback> &&
                                              std::is_invocable_r_v<R, std::decay_t<F>&, Args...>>>
  Callback(F&& function) {  // NOLINT: implicit on purpose
    using Function = std::decay_t<F>;
    if constexpr (fits<Function>) {
      new (storage_) Function(std::forward<F>(function));
      operations_ = &inline_operations<Function>;
    } else {
      *reinterpret_cast<Function**>(storage_) = new Function(std::forward<F>(function));
      operations_ = &heap_operations<Function>;
    }
  }

  Callback(Callback&& other) noexcept { take(other); }
  Callback& operator=(Callback&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  Callback(const Callback&) = delete;
  Callback& operator=(const Callback&) = delete;
  ~Callback() { reset(); }

  explicit operator bool() const { return operations_ != nullptr; }
  // By reference, so that a result is moved once, into the callable's own parameter.
  R operator()(Args&&... args) { return operations_->call(storage_, std::forward<Args>(args)...); }

  void reset() {
    if (const Operations* operations = std::exchange(operations_, nullptr)) operations->destroy(storage_);
  }

 private:
  struct Operations {
    R (*call)(void* self, Args&&... args);
    void (*move)(void* from, void* to);  // and leaves `from` destroyed
    void (*destroy)(void* self);
  };

  // Small callables, such as a lambda that holds a few pointers, cost no allocation.
  static constexpr std::size_t capacity = 6 * sizeof(void*);
  template <class F>
  static constexpr bool fits =
      sizeof(F) <= capacity && alignof(F) <= alignof(std::max_align_t) && std::is_nothrow_move_constructible_v<F>;

  template <class F>
  static constexpr Operations inline_operations = {
      [](void* self, Args&&... args) -> R { return (*static_cast<F*>(self))(std::forward<Args>(args)...); },
      [](void* from, void* to) {
        new (to) F(std::move(*static_cast<F*>(from)));
        static_cast<F*>(from)->~F();
      },
      [](void* self) { static_cast<F*>(self)->~F(); }};
  template <class F>
  static constexpr Operations heap_operations = {
      [](void* self, Args&&... args) -> R { return (**static_cast<F**>(self))(std::forward<Args>(args)...); },
      [](void* from, void* to) { *static_cast<F**>(to) = *static_cast<F**>(from); },
      [](void* self) { delete *static_cast<F**>(self); }};

  void take(Callback& other) {
    operations_ = std::exchange(other.operations_, nullptr);
    if (operations_) operations_->move(other.storage_, storage_);
  }

  const Operations* operations_ = nullptr;
  alignas(std::max_align_t) std::byte storage_[capacity];
};

}  // namespace trunkline
