#include "sim/result.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace brownout::sim {
namespace {

template <class Counters>
void add_each(Counters& to, const Counters& from) {
  if constexpr (requires { to.resize(1); }) to.resize(std::max(to.size(), from.size()));
  for (std::size_t i = 0; i < from.size(); ++i) to[i] += from[i];
}

}  // namespace

void CallStats::add(const CallStats& other) {
  calls += other.calls;
  rejected += other.rejected;
  hedges += other.hedges;
  attempts += other.attempts;
  shared += other.shared;
  billed_tokens += other.billed_tokens;
  wasted_tokens += other.wasted_tokens;
  cost_picodollars += other.cost_picodollars;
  add_each(ended, other.ended);
  add_each(failed_as, other.failed_as);
  add_each(attempts_as, other.attempts_as);
  add_each(served_by_route, other.served_by_route);
  add_each(attempts_by_route, other.attempts_by_route);
  add_each(rejected_by_breaker, other.rejected_by_breaker);
  in_flight_max_by_route.resize(
      std::max(in_flight_max_by_route.size(), other.in_flight_max_by_route.size()));
  for (std::size_t i = 0; i < other.in_flight_max_by_route.size(); ++i) {
    in_flight_max_by_route[i] =
        std::max(in_flight_max_by_route[i], other.in_flight_max_by_route[i]);
  }
  waits += other.waits;
  hinted += other.hinted;
  wait.add(other.wait);
  hint.add(other.hint);
  success_latency.add(other.success_latency);
  first_token.add(other.first_token);
  failed_latency.add(other.failed_latency);
  other_latency.add(other.other_latency);
}

std::uint64_t CallStats::cost_nanodollars() const {
  constexpr std::uint64_t most = 18'000'000'000'000'000'000U;
  const auto nano = cost_picodollars / 1000;
  return nano > most ? most : static_cast<std::uint64_t>(nano);
}

const Series* Timeline::find(std::string_view metric, std::string_view of) const {
  for (const Series& one : series) {
    if (one.metric == metric && one.of == of) return &one;
  }
  return nullptr;
}

Verdict RunResult::verdict() const {
  const auto any = [&](Verdict verdict) {
    return std::any_of(expectations.begin(), expectations.end(),
                       [&](const ExpectationResult& e) { return e.verdict == verdict; });
  };
  if (any(Verdict::failed)) return Verdict::failed;
  if (end != RunEnd::completed || any(Verdict::undecided)) return Verdict::undecided;
  return Verdict::passed;
}

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::passed:
      return "passed";
    case Verdict::failed:
      return "failed";
    case Verdict::undecided:
      return "undecided";
  }
  return "";
}

std::string_view to_string(RunEnd end) {
  switch (end) {
    case RunEnd::completed:
      return "completed";
    case RunEnd::deadlock:
      return "deadlock";
    case RunEnd::livelock:
      return "livelock";
    case RunEnd::interrupted:
      return "interrupted";
  }
  return "";
}

std::string how_it_ended(RunEnd end) {
  const bool is_cut = end == RunEnd::interrupted || end == RunEnd::completed;
  return (is_cut ? "was " : "ended in ") + std::string(to_string(end));
}

std::string_view to_string(RunStage stage) {
  return stage == RunStage::http ? "http" : "sim";
}

std::string format_digest(std::uint64_t digest) {
  return fmt::format("{:016x}", digest);
}

}  // namespace brownout::sim
