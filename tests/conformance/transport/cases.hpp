#pragma once

// What may become of an attempt: the table that both transports are held to.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/outcome.hpp"
#include "tests/conformance/transport/attempts.hpp"

namespace brownout::testing {

/// What an attempt's outcome is to be. Durations count from its beginning; the simulator keeps them
/// exactly, over HTTP nothing comes earlier.
struct Expected {
  OutcomeKind kind = OutcomeKind::success;
  std::uint16_t status = 200;
  Duration at{};
  Duration first_output = forever;  ///< forever: none
  std::uint32_t input = 0;          ///< billed
  std::uint32_t output = 0;         ///< billed, and for a stream that spoke: how much it said
  std::optional<Duration> retry_after{};
  std::optional<bool> should_retry{};
  RateLimits limits{};

  /// Where a wire tells less, or more, than the provider bills: what is known of that.
  struct Told {
    std::uint32_t input = 0;
    std::uint32_t output = 0;
  };
  std::optional<Told> told{};
};

struct Case {
  Part part;
  Expected expected;
};

/// Each has a name of its own. A case whose part asks the model of the one before it follows it.
const std::vector<Case>& cases();

}  // namespace brownout::testing
