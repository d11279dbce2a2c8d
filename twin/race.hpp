#pragma once

// Where two stages part first, and whether a machine that is late explains it.

#include <optional>
#include <string>

#include "twin/twin.hpp"

namespace brownout::twin {

/// The difference whose step came first, of calls that both stages made; nothing when there is
/// none. Later differences may follow from it: breakers, buckets, budgets and queues are shared.
///
/// A race explains it when something that decides it came closer to it than the worst of the noise:
/// a step of another call, the edge of a phase, or the call's own step on the other stage (a limit
/// that runs out as the answer comes). So does a call that itself began at another time, because
/// its client came back at another time.
std::optional<FirstDifference> first_difference(const Stage& simulated, const Stage& over_http,
                                                const Noise& noise);

}  // namespace brownout::twin
