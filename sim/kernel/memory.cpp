#include "sim/kernel/memory.hpp"

#include <utility>

namespace brownout::sim {

RecyclingPool::~RecyclingPool() {
  for (Block* block : free_) {
    while (block != nullptr) ::operator delete(std::exchange(block, block->next));
  }
}

}  // namespace brownout::sim
