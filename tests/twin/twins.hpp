#pragma once

// One scenario on both stages. Real time runs five times as fast; what a test decides leaves the
// machine about 200 ms of real time for being late.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/sim/lab.hpp"
#include "twin/twin.hpp"

namespace brownout::twin::testing {

using sim::testing::Lab;
using sim::testing::loaded;

inline constexpr double speed = 5;

struct Twin {
  Stage simulated;
  Stage over_http;
  HttpFlight flight;
  Comparison comparison;
  std::vector<std::string> journal;  ///< of the server, line by line
};

inline HttpFlight fly_over_http(const sim::Scenario& scenario, const Policy& policy,
                                HttpOptions options = {}) {
  if (options.speed == 1) options.speed = speed;
  return loaded(fly(scenario, policy, loaded(sim::bind(scenario, policy, {})), options));
}

inline Twin twin_of(const sim::Scenario& scenario, const Policy& policy) {
  const auto routes = loaded(sim::bind(scenario, policy, {})).routes;
  Twin twin;
  TraceKeeper simulated(routes);
  twin.simulated.result = sim::testing::fly(scenario, policy, sim::testing::heard_by(simulated));
  twin.simulated.calls = simulated.calls();
  TraceKeeper over_http(routes);
  HttpOptions options;
  options.events = &over_http;
  options.journal = [&](std::string_view line) { twin.journal.emplace_back(line); };
  twin.flight = fly_over_http(scenario, policy, options);
  twin.over_http = {twin.flight.result, over_http.calls()};
  twin.comparison = compare(twin.simulated, twin.over_http, {}, scenario.workload.clients > 0);
  return twin;
}

inline Twin twin_of(const Lab& lab, const Policy& policy) {
  return twin_of(sim::testing::scenario(lab), policy);
}

inline void expect_identical(const Twin& twin) {
  EXPECT_TRUE(twin.comparison.identical())
      << describe(twin.comparison, twin.simulated, twin.over_http, {}, speed);
  EXPECT_GT(twin.comparison.both, 0U);
}

/// Without a network, which the other stage does not have.
inline Lab quiet_lab() {
  Lab lab;
  lab.network = R"("0ms")";
  return lab;
}

}  // namespace brownout::twin::testing
