#include "cli/how_long.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "twin/http_stage.hpp"

namespace brownout::cli {

void print_how_long(const sim::Scenario& scenario, double speed) {
  const std::string text = twin::how_long(scenario.duration, speed);
  if (!text.empty()) fmt::print(stderr, "{} over HTTP {}\n", scenario.name, text);
}

}  // namespace brownout::cli
