// One T for each thread, for buffers that are worth keeping. It can be asked for at any time: a thread's own objects
// are gone before the program's static ones, and what those still ask for is made anew and left to the end of the
// process.
#pragma once

namespace trunkline {

template <class T, class Use>
class PerThread {
 public:
  [[gnu::always_inline]] static T& get() { return current != nullptr ? *current : make(); }
  // Null once the thread's own objects are gone.
  [[gnu::always_inline]] static T* get_if_alive() { return current != nullptr ? current : gone ? nullptr : &make(); }

 private:
  struct Owner {
    T value{};
    ~Owner() {
      current = nullptr;
      gone = true;
    }
  };
  [[gnu::noinline]] static T& make() {
    if (gone) return *(current = new T());
    static thread_local Owner owner;
    current = &owner.value;
    return *current;
  }

  static inline constinit thread_local T* current = nullptr;
  static inline constinit thread_local bool gone = false;
};

// `Use` tells apart two uses of the same T; any type does.
template <class T, class Use>
[[gnu::always_inline]] inline T& per_thread() {
  return PerThread<T, Use>::get();
}

}  // namespace trunkline
