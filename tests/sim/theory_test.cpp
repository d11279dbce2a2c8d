// Runs against results that are known exactly: queueing theory, geometric series and bookkeeping.
//
// Estimates come from independent seeds, and their standard error from the spread between them; a
// correct simulator is further away than 4 of those about once in a thousand tests (t distribution,
// 15 degrees of freedom), and the seeds are fixed. That the error itself is small is asserted too.
// Times are in mean service times, which here is one second.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "tests/sim/lab.hpp"

namespace brownout::sim {
namespace {

using testing::EventList;
using testing::fly;
using testing::Lab;

struct Estimate {
  double mean = 0;
  double error = 0;  // standard error of the mean
};

Estimate estimate(const std::vector<double>& samples) {
  const auto n = static_cast<double>(samples.size());
  double sum = 0;
  for (const double sample : samples) sum += sample;
  const double mean = sum / n;
  double squares = 0;
  for (const double sample : samples) squares += (sample - mean) * (sample - mean);
  return {mean, std::sqrt(squares / (n - 1) / n)};
}

constexpr std::uint64_t seeds = 16;

Estimate over_seeds(const Lab& lab, const std::string& pipeline,
                    const std::function<double(const RunResult&)>& measure) {
  const Scenario scenario = testing::scenario(lab);
  const Policy policy = testing::policy(pipeline);
  std::vector<double> samples;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    samples.push_back(measure(fly(scenario, policy, testing::seeded(seed))));
  }
  return estimate(samples);
}

void expect_theory(const Estimate& found, double theory, double sharpness) {
  EXPECT_NEAR(found.mean, theory, 4 * found.error);
  EXPECT_LT(found.error, sharpness * theory) << "too few calls to tell";
}

// Calls for one token at a model with `servers` slots that works a second on each, on average.
Lab queue(double rate, int servers, const std::string& service, double calls_per_seed,
          const std::string& limits = "") {
  Lab lab;
  lab.duration = fmt::format("{}s", std::llround(calls_per_seed / rate));
  lab.network = R"("0s")";
  lab.output_tokens = "1";
  lab.arrivals = fmt::format(R"({{"poisson": "{}/s"}})", rate);
  lab.model = fmt::format(R"("ttft": {}, "inter_token": "0s", "error_latency": "0s",
      "limits": {{"concurrent": {}{}}})",
                          service, servers, limits);
  return lab;
}

const std::string constant_service = R"("1s")";
const std::string exponential_service = R"({"exponential": {"mean": "1s"}})";

double mean_wait(const RunResult& result) {
  return static_cast<double>(result.total.success_latency.mean().count()) * 1e-9 - 1;
}

double refused_share(const RunResult& result) {
  return static_cast<double>(
             result.total.failed_as[static_cast<std::size_t>(OutcomeKind::overloaded)]) /
         static_cast<double>(result.total.calls);
}

TEST(Theory, PoissonArrivalsCountTheirRate) {
  Lab lab;
  lab.arrivals = R"({"poisson": "2/s"})";
  const Estimate found =
      over_seeds(lab, "[]", [](const RunResult& r) { return static_cast<double>(r.total.calls); });
  EXPECT_NEAR(found.mean, 7200, 4 * std::sqrt(7200.0 / seeds));
  // The counts of independent runs spread like a Poisson variable: chi square, 15 degrees.
  const double dispersion = found.error * found.error * seeds / 7200;
  EXPECT_GT(dispersion, 0.2);
  EXPECT_LT(dispersion, 2.9);
}

// Pollaczek and Khinchine: the mean wait of M/G/1 is rho (1 + cv^2) / (2 (1 - rho)).
TEST(Theory, WaitsAtASingleServerWithConstantServiceFollowPollaczekAndKhinchine) {
  for (const double rho : {0.5, 0.8}) {
    const Lab lab = queue(rho, 1, constant_service, rho < 0.6 ? 4000 : 8000);
    expect_theory(over_seeds(lab, "[]", mean_wait), rho / (2 * (1 - rho)), 0.03);
  }
}

TEST(Theory, WaitsAtASingleServerWithExponentialServiceAreTwiceAsLong) {
  const Lab lab = queue(0.5, 1, exponential_service, 6000);
  expect_theory(over_seeds(lab, "[]", mean_wait), 1, 0.03);
}

// Erlang (1917): the probability to wait at c servers under load a.
double erlang_c(int c, double a) {
  double term = 1;
  double sum = 0;
  for (int k = 0; k < c; ++k) {
    sum += term;
    term *= a / (k + 1);
  }
  const double waiting = term * c / (c - a);
  return waiting / (sum + waiting);
}

TEST(Theory, WaitsAtSeveralServersFollowErlangC) {
  EXPECT_NEAR(erlang_c(2, 1), 1.0 / 3, 1e-12);
  for (const auto& [servers, rho] : {std::pair(2, 0.5), std::pair(5, 0.8)}) {
    const double load = rho * servers;
    const Lab lab = queue(load, servers, exponential_service, 8000);
    expect_theory(over_seeds(lab, "[]", mean_wait), erlang_c(servers, load) / (servers - load),
                  0.06);
  }
}

// M/M/1/K: one is served, K - 1 wait, and who finds K is refused.
TEST(Theory, AFullQueueRefusesAsManyAsABirthDeathProcessDoes) {
  const auto blocking = [](double rho, int places) {
    if (rho == 1) return 1.0 / (places + 1);
    return std::pow(rho, places) * (1 - rho) / (1 - std::pow(rho, places + 1));
  };
  EXPECT_NEAR(blocking(0.8, 5), 0.088819, 1e-6);
  for (const auto& [rho, places] : {std::pair(0.8, 5), std::pair(1.0, 5), std::pair(2.0, 3)}) {
    const Lab lab =
        queue(rho, 1, exponential_service, 4000, fmt::format(R"(, "queue": {})", places - 1));
    expect_theory(over_seeds(lab, "[]", refused_share), blocking(rho, places), 0.03);
  }
}

// Erlang B does not care how the service time is distributed, only for its mean.
TEST(Theory, AModelWithoutAQueueRefusesByErlangBWhateverTheServiceTimes) {
  const double load = 3;
  double blocked = 1;
  for (int servers = 1; servers <= 4; ++servers) {
    blocked = load * blocked / (servers + load * blocked);
  }
  EXPECT_NEAR(blocked, 27.0 / 131, 1e-12);
  for (const std::string& service : {constant_service, exponential_service}) {
    const Lab lab = queue(load, 4, service, 4000, R"(, "when_full": "refuse")");
    expect_theory(over_seeds(lab, "[]", refused_share), blocked, 0.03);
  }
}

// Attempts per call with N retries: the sum of p^i up to N; all fail with probability p^(N + 1).
TEST(Theory, RetriesAmplifyLikeAGeometricSeries) {
  constexpr double p = 0.5;
  constexpr int retries = 3;
  Lab lab;
  lab.duration = "1000s";
  lab.arrivals = R"({"constant": "2/s"})";
  lab.faults = R"([{"on": "*", "error": "server_error", "share": 0.5}])";
  const std::string pipeline = R"([{"retry": {"max_attempts": 4, "wait": {"fixed": "1s"}}}])";
  const auto attempts = over_seeds(lab, pipeline, [](const RunResult& r) {
    return static_cast<double>(r.total.attempts) / static_cast<double>(r.total.calls);
  });
  expect_theory(attempts, (1 - std::pow(p, retries + 1)) / (1 - p), 0.01);
  const auto failures = over_seeds(lab, pipeline, [](const RunResult& r) {
    return static_cast<double>(r.total.ended_as(CallEnd::failed)) /
           static_cast<double>(r.total.calls);
  });
  expect_theory(failures, std::pow(p, retries + 1), 0.04);
}

// One call a second, each over in 50 ms however it ends. The breaker half-opens for the next call,
// so that from its closing to its next opening only calls in the closed state are counted.
std::vector<double> closed_spells(double p, int k, const std::string& duration) {
  Lab lab;
  lab.duration = duration;
  lab.network = R"("0s")";
  lab.output_tokens = "1";
  lab.model = R"("ttft": "50ms", "inter_token": "0s", "error_latency": "50ms")";
  lab.faults = fmt::format(R"([{{"on": "*", "error": "server_error", "share": {}}}])", p);
  EventList events;
  fly(lab,
      fmt::format(R"([{{"breaker": {{"consecutive_failures": {}, "open_for": "500ms"}}}}])", k),
      testing::heard_by(events));
  std::vector<double> spells;
  Instant closed = testing::at(std::chrono::milliseconds{50});
  for (const BreakerEvent& transition : events.transitions) {
    if (transition.to == BreakerState::closed) closed = transition.at;
    if (transition.from == BreakerState::closed) {
      spells.push_back(static_cast<double>((transition.at - closed) / std::chrono::seconds{1}));
    }
  }
  return spells;
}

// Feller, runs of failures: the expected number of calls until k in a row have failed.
TEST(Theory, ABreakerTripsAfterAsManyCallsAsRunsOfFailuresTake) {
  const auto expected = [](double p, int k) {
    return (1 - std::pow(p, k)) / ((1 - p) * std::pow(p, k));
  };
  EXPECT_EQ(expected(0.5, 5), 62);
  expect_theory(estimate(closed_spells(0.5, 5, "40000s")), expected(0.5, 5), 0.05);
  expect_theory(estimate(closed_spells(0.5, 3, "40000s")), expected(0.5, 3), 0.05);
  expect_theory(estimate(closed_spells(0.9, 5, "40000s")), expected(0.9, 5), 0.05);
}

// A bucket of b = 60 requests that refills at r = 1/s, asked ten times a second from 0.1 s to
// 599.9 s: exactly b + r T fit, rounded down.
TEST(Theory, ATokenBucketAcceptsItsSizePlusItsRateTimesTheTime) {
  Lab lab;
  lab.duration = "600s";
  lab.network = R"("0s")";
  lab.arrivals = R"({"constant": "10/s"})";
  lab.model += R"(, "limits": {"tpm": 6000})";
  const RunResult result = fly(lab, "[]");
  EXPECT_EQ(result.total.calls, 5999U);
  EXPECT_EQ(result.total.ended_as(CallEnd::success), 60U + 599U);
  EXPECT_EQ(result.total.failed_as[static_cast<std::size_t>(OutcomeKind::rate_limited)],
            5999U - 659U);
}

// Little's law holds on every finished path, without any tolerance: the time calls spend in the
// system is the time the system spends with calls.
TEST(Theory, LittlesLawIsExact) {
  EventList events;
  const RunResult result =
      fly(queue(0.8, 1, exponential_service, 5000), "[]", testing::heard_by(events));
  std::vector<std::pair<Instant, int>> steps;
  for (const auto& call : events.calls) {
    steps.emplace_back(call.event.started, 1);
    steps.emplace_back(call.event.ended, -1);
  }
  std::ranges::sort(steps);
  Duration area{};
  int inside = 0;
  Instant last{};
  for (const auto& [time, change] : steps) {
    area += inside * (time - last);
    inside += change;
    last = time;
  }
  EXPECT_EQ(inside, 0);
  EXPECT_EQ(area / static_cast<std::int64_t>(result.total.calls),
            result.total.success_latency.mean());
}

}  // namespace
}  // namespace brownout::sim
