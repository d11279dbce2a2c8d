#pragma once

// What a script lets be known of requests before they are there: a server that is about to accept a
// connection has nothing else to go by.

#include <cstdint>

#include "engine/core/time.hpp"
#include "mockserver/script.hpp"

namespace brownout::mock {

/// What will become of every request for a model.
enum class Fate : std::uint8_t {
  undecided,  ///< no fault of the phase can answer in the provider's place
  depends,    ///< some fault may, with a word other than refuse or for some requests only
  refused,    ///< its connection is refused, whichever request it is
};

struct Foresight {
  Fate fate = Fate::undecided;
  Duration until = forever;  ///< when it may change, after the phase's beginning; later than asked
};

/// What the phase's faults let be foreseen `elapsed` after its beginning. Faults behind the limits
/// do not count, and those that count requests (`first`, `sequence`) may always answer.
Foresight foresee(const PhaseSpec& phase, ModelId model, Duration elapsed);

}  // namespace brownout::mock
