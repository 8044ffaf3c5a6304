#include "base/random.h"

#include <sys/mman.h>
#include <sys/random.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/per_thread.h"

namespace trunkline {
namespace {

constexpr std::size_t page_size = 4096;

struct Page {
  std::size_t left;  // unused, at the end of `bytes`; zero in a page that is new, or wiped by fork
  std::uint8_t bytes[page_size - sizeof(std::size_t)];
};

// There is nothing to go on with without random bytes, and no caller who could do better.
void fetch(std::uint8_t* into, std::size_t size) {
  while (size > 0) {
    const ssize_t got = getrandom(into, size, 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      std::fputs("trunkline: the kernel gives no random bytes (getrandom)\n", stderr);
      std::abort();
    }
    into += got;
    size -= static_cast<std::size_t>(got);
  }
}

// The kernel wipes the page in a forked child, which would otherwise use its parent's bytes again.
class Pool {
 public:
  Pool() {
    void* const mapped = mmap(nullptr, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return;
    page_ = static_cast<Page*>(mapped);
    if (madvise(page_, page_size, MADV_WIPEONFORK) == 0) return;
    munmap(page_, page_size);
    page_ = nullptr;
  }
  ~Pool() {
    if (page_ != nullptr) munmap(page_, page_size);
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  void take(std::uint8_t* into, std::size_t size) {
    if (page_ == nullptr || size > sizeof page_->bytes) return fetch(into, size);
    if (page_->left < size) {
      fetch(page_->bytes, sizeof page_->bytes);
      page_->left = sizeof page_->bytes;
    }
    std::uint8_t* const from = page_->bytes + sizeof page_->bytes - page_->left;
    std::memcpy(into, from, size);
    std::memset(from, 0, size);  // what was given out is nowhere else
    page_->left -= size;
  }

 private:
  Page* page_ = nullptr;  // null: the kernel is asked every time
};

}  // namespace

void fill_random(std::span<std::uint8_t> bytes) {
  struct Random;
  per_thread<Pool, Random>().take(bytes.data(), bytes.size());
}

std::uint32_t random_word() {
  std::uint32_t word = 0;
  std::uint8_t bytes[sizeof word];
  fill_random(bytes);
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

}  // namespace trunkline
