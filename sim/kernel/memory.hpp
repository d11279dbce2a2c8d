#pragma once

// Memory for short-lived jobs: what one job gives back the next one takes.

#include <array>
#include <cstddef>
#include <new>

namespace brownout::sim {

/// Free lists by size. Under AddressSanitizer nothing is recycled, so that it sees every use after
/// free.
///
/// *Ownership*: keeps what was given back until it is destroyed; blocks still in use are their
/// holder's to give back first. *Threads*: one.
class RecyclingPool {
 public:
  RecyclingPool() = default;
  RecyclingPool(const RecyclingPool&) = delete;
  RecyclingPool& operator=(const RecyclingPool&) = delete;
  ~RecyclingPool();

  /// Room for one T, uninitialised.
  template <class T>
  void* allocate() {
    static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
    constexpr std::size_t size_class = class_of(sizeof(T));
    if constexpr (size_class < classes) {
      if (Block* const block = free_[size_class]) {
        free_[size_class] = block->next;
        return block;
      }
      ++allocations_;
      return ::operator new((size_class + 1) * granule);
    } else {
      ++allocations_;
      return ::operator new(sizeof(T));
    }
  }

  /// Takes back what allocate<T>() returned.
  template <class T>
  void deallocate(void* memory) {
    constexpr std::size_t size_class = class_of(sizeof(T));
    if constexpr (recycles && size_class < classes) {
      free_[size_class] = ::new (memory) Block{free_[size_class]};
    } else {
      ::operator delete(memory);
    }
  }

#if defined(__SANITIZE_ADDRESS__)  // gcc
  static constexpr bool recycles = false;
#elif defined(__has_feature)  // clang
  static constexpr bool recycles = !__has_feature(address_sanitizer);
#else
  static constexpr bool recycles = true;
#endif

  /// How often the heap had to be asked.
  std::size_t allocations() const {
    return allocations_;
  }

 private:
  struct Block {
    Block* next;
  };
  static constexpr std::size_t granule = 64;
  static constexpr std::size_t classes = 16;
  static constexpr std::size_t class_of(std::size_t size) {
    return (size - 1) / granule;
  }

  std::array<Block*, classes> free_{};
  std::size_t allocations_ = 0;
};

}  // namespace brownout::sim
