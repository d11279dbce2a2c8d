#pragma once

#include <cstdint>

namespace brownout::bench {

/// How often this thread has called operator new so far. Counted by the replacement in
/// allocations.cpp, which is all that this binary allocates with.
std::uint64_t allocations();

}  // namespace brownout::bench
