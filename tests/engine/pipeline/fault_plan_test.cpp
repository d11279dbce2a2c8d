// Generated fault plans flown through the bundled policies. A plan says how the attempts at each
// target go and when calls arrive; when a law is broken, it shrinks to the shortest plan that
// breaks it.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "tests/support/engine/stage.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using What = Event::What;

struct PlannedAttempt {
  OutcomeKind kind = OutcomeKind::success;
  std::uint32_t seconds = 1;  ///< `hang_seconds`: for ever
  std::uint32_t hint_seconds = 0;
  bool shows_output = false;  ///< a stream's first token comes at once

  static constexpr std::uint32_t hang_seconds = 60;
};

struct PlannedCall {
  std::uint32_t gap_seconds = 0;  ///< since the call before
  std::uint32_t prompt = 0;
  std::uint32_t patience_seconds = 0;  ///< the caller's deadline; 0 for none
  bool stream = false;
};

struct FaultPlan {
  std::vector<PlannedAttempt> first;   ///< of the first target; then everything succeeds
  std::vector<PlannedAttempt> second;  ///< of the second, if there is one
  std::vector<PlannedCall> calls;
};

void showValue(const PlannedAttempt& attempt, std::ostream& out) {
  out << to_string(attempt.kind) << " after " << attempt.seconds << "s"
      << (attempt.shows_output ? " of output" : "");
  if (attempt.hint_seconds != 0) out << ", come back in " << attempt.hint_seconds << "s";
}

void showValue(const PlannedCall& call, std::ostream& out) {
  out << "after " << call.gap_seconds << "s prompt " << call.prompt << ", patience "
      << call.patience_seconds << "s" << (call.stream ? ", streamed" : "");
}

rc::Gen<PlannedAttempt> any_attempt() {
  return rc::gen::build<PlannedAttempt>(
      rc::gen::set(&PlannedAttempt::kind,
                   rc::gen::map(rc::gen::inRange<int>(0, 2 * int{outcome_kind_count}),
                                [](int number) {  // half of them are plain server errors
                                  return number < int{outcome_kind_count}
                                             ? static_cast<OutcomeKind>(number)
                                             : OutcomeKind::server_error;
                                })),
      rc::gen::set(&PlannedAttempt::seconds,
                   rc::gen::inRange<std::uint32_t>(0, PlannedAttempt::hang_seconds + 1)),
      rc::gen::set(&PlannedAttempt::hint_seconds, rc::gen::inRange<std::uint32_t>(0, 30)),
      rc::gen::set(&PlannedAttempt::shows_output));
}

rc::Gen<PlannedCall> any_call() {
  return rc::gen::build<PlannedCall>(
      rc::gen::set(&PlannedCall::gap_seconds, rc::gen::inRange<std::uint32_t>(0, 30)),
      rc::gen::set(&PlannedCall::prompt, rc::gen::inRange<std::uint32_t>(0, 5)),
      rc::gen::set(&PlannedCall::patience_seconds, rc::gen::inRange<std::uint32_t>(0, 90)),
      rc::gen::set(&PlannedCall::stream));
}

// What the policy file promises, written down once more by hand.
struct Promise {
  const char* policy;
  std::uint32_t most_attempts;  ///< of one call
  Duration wait_min;
  Duration wait_max;
  bool heeds_hints;
  bool breaker_around_retry;  ///< then only a call's first attempt on a route passes the breaker
  Duration open_for;          ///< 0 when it has no breakers
  Duration deadline;
};

constexpr Promise promises[] = {
    {"guide-layered", 6, 4s, 10s, false, true, 60s, forever},
    {"guide-breaker-class", 6, 4s, 10s, false, true, 60s, forever},
    {"guide-rate-limit", 31, 10s, 120s, false, false, 0s, forever},
    {"guide-retry-only", 3, 4s, 10s, false, false, 0s, forever},
    {"no-resilience", 1, 0s, 0s, false, false, 0s, forever},
    {"recommended", 4, 0s, 8s, true, false, 30s, 90s},
};

std::vector<Answer> answers_of(const std::vector<PlannedAttempt>& attempts) {
  std::vector<Answer> answers;
  for (const PlannedAttempt& attempt : attempts) {
    Answer answer = fails(attempt.kind, std::chrono::seconds{attempt.seconds});
    if (attempt.seconds == PlannedAttempt::hang_seconds) answer.takes = forever;
    if (attempt.shows_output) answer.first_token = 0s;
    if (attempt.hint_seconds != 0) answer.retry_after = std::chrono::seconds{attempt.hint_seconds};
    answers.push_back(answer);
  }
  return answers;
}

class Judge {
 public:
  Judge(const Stage& stage, const Promise& promise, const FaultPlan& plan)
      : stage_(stage), promise_(promise), plan_(plan) {}

  // Reads the record once, from the first event to the last, and then the ends of calls.
  void judge() {
    for (const Event& event : stage_.events()) {
      switch (event.what) {
        case What::asked:
          asked(event);
          break;
        case What::answered:
          answered(event);
          break;
        case What::waited:
          waited(event);
          break;
        case What::moved:
          moved(event);
          break;
        case What::rejected:
          rejected(event);
          break;
        case What::ended:
          ended(event);
          break;
        case What::observed:
        case What::hedged:
        case What::detached:
        case What::looked:
          break;
      }
    }
    for (CallId id = 0; id < plan_.calls.size(); ++id) RC_ASSERT(stage_.ends(id) == 1U);
  }

 private:
  struct CallBook {
    std::map<TargetId, std::uint32_t> asked;
    std::map<TargetId, std::uint32_t> failed_or_refused;
    std::uint32_t attempts = 0;
    bool in_flight = false;
    Outcome last;
    Instant may_ask{};  ///< not before: the end of its wait
    bool committed = false;
  };

  // Breakers of the bundled policies stand one in each route, in the routes' order.
  bool has_breakers() const { return promise_.open_for > Duration{0}; }

  Instant deadline_of(CallId id) const {
    const PlannedCall& call = plan_.calls[id];
    Instant begins{};
    for (CallId i = 0; i <= id; ++i) begins += std::chrono::seconds{plan_.calls[i].gap_seconds};
    const Instant own =
        call.patience_seconds == 0 ? never : begins + std::chrono::seconds{call.patience_seconds};
    return std::min(own, after(begins, promise_.deadline));
  }

  void asked(const Event& event) {
    CallBook& book = books_[event.call];
    RC_ASSERT(!book.in_flight);
    RC_ASSERT(!book.committed);
    RC_ASSERT(event.at < deadline_of(event.call));
    RC_ASSERT(event.limits.end <= deadline_of(event.call));
    RC_ASSERT(event.at >= book.may_ask);
    RC_ASSERT(++book.attempts <= promise_.most_attempts);
    RC_ASSERT(event.nth == book.asked[event.target]);
    const bool passes_breaker = event.nth == 0 || !promise_.breaker_around_retry;
    if (has_breakers() && passes_breaker) {
      RC_ASSERT(states_[event.target] != BreakerState::open);
    }
    for (TargetId earlier = 0; earlier < event.target; ++earlier) {
      RC_ASSERT(book.failed_or_refused[earlier] > 0);
    }
    ++book.asked[event.target];
    book.in_flight = true;
  }

  void answered(const Event& event) {
    CallBook& book = books_[event.call];
    RC_ASSERT(book.in_flight);
    RC_ASSERT(event.at <= deadline_of(event.call));
    book.in_flight = false;
    book.last = event.outcome;
    book.committed = event.outcome.committed;
    if (!event.outcome.ok()) ++book.failed_or_refused[event.target];
  }

  void waited(const Event& event) {
    CallBook& book = books_[event.call];
    const Duration wait = event.until - event.at;
    const Duration hint =
        promise_.heeds_hints ? book.last.retry_after.value_or(Duration{0}) : Duration{0};
    RC_ASSERT(!book.last.ok());
    RC_ASSERT(wait >= promise_.wait_min);
    RC_ASSERT(wait >= hint);
    RC_ASSERT(wait <= std::max(promise_.wait_max, hint));
    RC_ASSERT(event.until < deadline_of(event.call));
    book.may_ask = event.until;
  }

  void moved(const Event& event) {
    RC_ASSERT(states_[event.breaker] == event.from);
    if (event.to == BreakerState::open) {
      opened_[event.breaker] = event.at;
    } else if (event.to == BreakerState::half_open) {
      RC_ASSERT(event.from == BreakerState::open);
      RC_ASSERT(event.at - opened_[event.breaker] >= promise_.open_for);
    }
    states_[event.breaker] = event.to;
  }

  void rejected(const Event& event) {
    RC_ASSERT(states_[event.breaker] != BreakerState::closed);
    ++books_[event.call].failed_or_refused[event.breaker];
  }

  void ended(const Event& event) {
    CallBook& book = books_[event.call];
    const Outcome& outcome = event.outcome;
    RC_ASSERT(!book.in_flight);
    RC_ASSERT(event.at <= deadline_of(event.call));
    const auto routes = static_cast<TargetId>(stage_.names().targets.size());
    switch (outcome.served) {
      case Served::live:
        RC_ASSERT(book.last.ok());
        RC_ASSERT(book.last.reply.text == outcome.reply.text);
        break;
      case Served::cached:
      case Served::fallback:
        RC_ASSERT(outcome.ok());
        for (TargetId route = 0; route < routes; ++route) {
          const bool no_time_left = event.at == deadline_of(event.call);
          RC_ASSERT(book.failed_or_refused[route] > 0 || no_time_left);
        }
        RC_ASSERT(!book.committed);
        break;
      case Served::nothing:
        RC_ASSERT(!outcome.ok());
        RC_ASSERT(outcome.committed == book.committed);
        break;
      case Served::shared:
      case Served::stale:
        RC_FAIL("none of these policies shares flights or serves stale replies");
    }
  }

  const Stage& stage_;
  const Promise& promise_;
  const FaultPlan& plan_;
  std::map<CallId, CallBook> books_;
  std::map<BreakerId, BreakerState> states_;
  std::map<BreakerId, Instant> opened_;
};

// The state a run leaves behind must not depend on when it is looked at: nothing is under way.
void fly(const Promise& promise, const FaultPlan& plan) {
  auto policy = load_policy(std::string("scenarios/policies/") + promise.policy + ".json");
  RC_ASSERT(policy.has_value());
  Stage stage(std::move(*policy));
  stage.script(stage.names().targets[0], answers_of(plan.first));
  if (stage.names().targets.size() > 1) {
    stage.script(stage.names().targets[1], answers_of(plan.second));
  }
  Duration begins{0};
  for (CallId id = 0; id < plan.calls.size(); ++id) {
    const PlannedCall& call = plan.calls[id];
    begins += std::chrono::seconds{call.gap_seconds};
    const Duration patience = std::chrono::seconds{call.patience_seconds};
    stage.call_at(begins, {.id = id,
                           .prompt = call.prompt,
                           .deadline = patience == 0s ? never : at(begins + patience),
                           .stream = call.stream});
  }
  stage.run();
  Judge(stage, promise, plan).judge();
  RC_ASSERT(stage.is_quiet());
}

RC_GTEST_PROP(FaultPlans, NoPlanMakesABundledPolicyBreakItsPromises, ()) {
  FaultPlan plan;
  plan.first = *rc::gen::container<std::vector<PlannedAttempt>>(any_attempt()).as("first target");
  plan.second = *rc::gen::container<std::vector<PlannedAttempt>>(any_attempt()).as("second target");
  plan.calls = *rc::gen::container<std::vector<PlannedCall>>(any_call()).as("calls");
  for (const Promise& promise : promises) {
    RC_LOG() << "policy " << promise.policy << "\n";
    fly(promise, plan);
  }
}

// The same plans, as bad as they come: nothing but failures that the policy answers by moving on.
RC_GTEST_PROP(FaultPlans, WhenEveryRouteFailsThePoliciesWithADefaultReplyStillAnswer, ()) {
  const auto calls = *rc::gen::container<std::vector<PlannedCall>>(any_call()).as("calls");
  for (const Promise& promise : {promises[0], promises[1]}) {
    auto policy = load_policy(std::string("scenarios/policies/") + promise.policy + ".json");
    Stage stage(std::move(*policy));
    stage.transport().set_otherwise(fails(OutcomeKind::server_error, 2s));
    Duration begins{0};
    for (CallId id = 0; id < calls.size(); ++id) {
      begins += std::chrono::seconds{calls[id].gap_seconds};
      stage.call_at(begins, {.id = id, .prompt = calls[id].prompt, .stream = calls[id].stream});
    }
    stage.run();
    for (CallId id = 0; id < calls.size(); ++id) {
      RC_ASSERT(stage.ends(id) == 1U);
      RC_ASSERT(end_of(stage.outcome(id)) == CallEnd::degraded);
    }
  }
}

}  // namespace
}  // namespace brownout::testing
