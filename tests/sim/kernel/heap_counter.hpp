#pragma once

// Counts the calls of operator new in this test binary, for tests that claim there are none.

#include <cstddef>

namespace brownout {

std::size_t heap_allocations();

}  // namespace brownout
