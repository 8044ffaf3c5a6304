// One T for each thread, for buffers that are worth keeping. It can be asked for at any time: a thread's own objects
// are gone before the program's static ones, and what those still ask for is made anew and left to the end of the
// process.
#pragma once

namespace trunkline {

// `Use` tells apart two uses of the same T; any type does.
template <class T, class Use>
T& per_thread() {
  static thread_local T* current = nullptr;
  static thread_local bool gone = false;
  if (current != nullptr) return *current;
  if (gone) return *(current = new T());
  struct Owner {
    T value{};
    ~Owner() {
      current = nullptr;
      gone = true;
    }
  };
  static thread_local Owner owner;
  current = &owner.value;
  return *current;
}

}  // namespace trunkline
