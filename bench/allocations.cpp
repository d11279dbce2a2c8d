#include "bench/allocations.hpp"

#include <cstdlib>
#include <new>

namespace {

thread_local std::uint64_t made = 0;

}  // namespace

void* operator new(std::size_t bytes) {
  ++made;
  void* const memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void* operator new(std::size_t bytes, std::align_val_t alignment) {
  ++made;
  const auto line = static_cast<std::size_t>(alignment);
  void* const memory = std::aligned_alloc(line, (bytes + line - 1) / line * line);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

std::uint64_t brownout::bench::allocations() {
  return made;
}
