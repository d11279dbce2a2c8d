#pragma once

#include <string>

#include "engine/policy/breaker_options.hpp"

namespace brownout {

/// The effective settings in one line; what is off, or as by default and rarely touched, is left
/// out.
std::string describe(const BreakerOptions& options);

}  // namespace brownout
