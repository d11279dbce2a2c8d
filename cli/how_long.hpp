#pragma once

#include "sim/scenario.hpp"

namespace brownout::cli {

/// Says on standard error how long a flight over HTTP will take, if that is more than a minute.
void print_how_long(const sim::Scenario& scenario, double speed);

}  // namespace brownout::cli
