#pragma once

#include <cstdint>

#include "engine/core/document.hpp"
#include "mockserver/wire_fault.hpp"

namespace brownout::mock {

/// Reads an `at`: a place, or an object with a count of what has left by then. `places` are those
/// allowed, as WireRule::places. False when something was wrong.
bool read_wire_point(const Node& node, std::uint8_t places, Problems& problems, WirePoint& out);

}  // namespace brownout::mock
