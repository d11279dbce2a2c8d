#pragma once

// The preset files, loaded as anybody would load them, and the machines they set up.

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/draw.hpp"
#include "engine/core/outcome.hpp"
#include "engine/policy/breaker.hpp"
#include "engine/policy/retry.hpp"
#include "engine/policy_file/policy.hpp"

namespace brownout::conformance {

/// All presets by name, sorted.
std::vector<std::string> preset_names();
std::string path_of_preset(const std::string& name);

/// Requires: the file loads; a preset that does not is reported and ends the test program.
Policy preset(const std::string& name);

/// The first layer of a kind on the way to the first route; null when there is none.
template <class Spec>
const Spec* find_layer(const std::vector<LayerSpec>& layers) {
  for (const LayerSpec& layer : layers) {
    if (const auto* found = std::get_if<Spec>(&layer)) return found;
    if (const auto* fallback = std::get_if<FallbackSpec>(&layer)) {
      return find_layer<Spec>(fallback->routes.front().pipeline);
    }
  }
  return nullptr;
}

/// What a preset's defaults do not survive on an ordinary day (`healthy`), although nothing is
/// wrong.
struct Shortcoming {
  std::set<OutcomeKind> failures;  ///< how calls fail, and no others
  std::string why;
};
const std::map<std::string, Shortcoming>& shortcomings();

/// Of the preset's first route. Requires: it has one.
RetryOptions retry_of(const std::string& name);
BreakerOptions breaker_of(const std::string& name);
BudgetOptions budget_of(const std::string& name);

/// Draws whose first word is within 2^-16 of `u` times its range. 0 <= u <= 1, where 1 stands for
/// the largest word.
Draws draws_at(double u);

/// The first `u.size()` computed waits in seconds, whatever the number of attempts; the nth with
/// u[n] as its draw.
std::vector<double> backoff_of(const RetryOptions& options, const std::vector<double>& u,
                               const Outcome& cause);

/// What is decided after the first attempt failed so, with no deadline.
RetryDecision first_decision(const RetryOptions& options, const Outcome& cause, double u = 1);

/// A failure with an HTTP status, of the outcome that docs/reference/outcomes.md gives it.
Outcome http_failure(std::uint16_t status);
Outcome with_hint(Outcome outcome, Duration hint);

/// A preset's breaker and a clock.
class BreakerBench {
 public:
  explicit BreakerBench(const std::string& name) : breaker_(breaker_of(name)) {}

  void wait(Duration time) { now_ += time; }
  /// Calls one after the other, each over at once. False when one was refused.
  bool succeed(int calls = 1);
  bool fail(int calls = 1, const Outcome& outcome = http_failure(500));
  bool is_open() const { return breaker_.state() == BreakerState::open; }
  bool is_closed() const { return breaker_.state() == BreakerState::closed; }
  Duration open_for() const { return breaker_.retry_after(now_); }

  Breaker& breaker() { return breaker_; }
  Instant now() const { return now_; }

 private:
  bool call(int calls, const Finding& finding);

  Breaker breaker_;
  Instant now_{};
};

}  // namespace brownout::conformance
