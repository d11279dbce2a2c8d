// A scripted call is flown through a bundled policy again and again: once for every step and every
// kind of failure with that step failing so, and once for every instant with the call cancelled
// there. Whatever happens, the books must balance.

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>

#include "tests/support/engine/stage.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;

constexpr CallId hero = 100;
constexpr Duration hero_begins = 10min;

struct Flight {
  const char* policy;
  std::uint32_t most_attempts;  ///< of one call
  bool always_answers;          ///< because of a default reply
  const char* folder = "scenarios/policies/";
};

// What goes differently this time.
struct Change {
  std::optional<std::size_t> step{};  ///< the hero's attempt with this number...
  OutcomeKind kind = success;         ///< ...ends so
  std::optional<Duration> cancel{};   ///< since the start of the run
  bool cancel_last = false;           ///< of all that happens at that instant
  bool slow_store = false;
};

class FailEveryStep : public ::testing::TestWithParam<Flight> {
 protected:
  static Policy load(const Flight& flight) {
    auto policy = load_policy(flight.folder + std::string(flight.policy) + ".json");
    EXPECT_TRUE(policy) << flight.policy;
    return policy ? std::move(*policy) : Policy{};
  }

  // Five earlier calls open the first route's breaker; when the hero comes, the open period is long
  // over and it is the first probe. It fails three times here and once on the next route.
  static void begin(Stage& stage, const Change& change) {
    const std::string first = stage.names().targets[0];
    const std::string second = stage.names().targets[1];
    stage.transport().set_otherwise({.takes = 1s, .first_token = 500ms});
    stage.script(first, std::vector<Answer>(5, fails(server_error, 1s)));
    for (CallId id = 1; id <= 5; ++id) {
      stage.call_at(10s * id, {.id = id, .prompt = 1000 + id, .deadline = at(10s * id + 1500ms)});
    }
    if (change.slow_store) stage.store().set_delay(300ms);
    stage.call_at(hero_begins, {.id = hero, .prompt = hero, .stream = true});
    stage.later(hero_begins - 1s, [&stage, first, second, change] {
      stage.script(first, std::vector<Answer>(3, fails(rate_limited, 1s)));
      stage.script(second, {fails(timed_out, 2s)});
      if (change.step) {
        const Answer answer = change.kind == success ? Answer{.takes = 700ms, .first_token = 200ms}
                                                     : fails(change.kind, 700ms);
        stage.transport().replace(stage.transport().started() + *change.step, answer);
      }
    });
    if (!change.cancel) return;
    stage.later(*change.cancel, [&stage, change] {
      if (!change.cancel_last) return stage.cancel(hero);
      stage.later(*change.cancel, [&stage] { stage.cancel(hero); });
    });
  }

  static std::vector<const Event*> of_hero(const Stage& stage, Event::What what) {
    std::vector<const Event*> found;
    for (const Event& event : stage.events()) {
      if (event.what == what && event.call == hero) found.push_back(&event);
    }
    return found;
  }

  // Flies once and checks everything that must hold whatever the change.
  void fly(Stage& stage, const Change& change) {
    const Flight& flight = GetParam();
    begin(stage, change);
    stage.run();
    const auto ends = of_hero(stage, Event::What::ended);
    const auto asked = of_hero(stage, Event::What::asked);
    const auto answered = of_hero(stage, Event::What::answered);
    EXPECT_TRUE(stage.is_quiet());
    EXPECT_LE(asked.size(), flight.most_attempts);
    EXPECT_EQ(asked.size(), answered.size());
    EXPECT_EQ(ends.size(), of_hero(stage, Event::What::observed).size());
    if (change.cancel) {
      EXPECT_LE(ends.size(), 1U);
      const bool before = ends.empty() || ends[0]->at <= at(*change.cancel);
      EXPECT_TRUE(before) << "it ended after it was cancelled";
    } else {
      EXPECT_EQ(ends.size(), 1U);
    }
    if (!ends.empty()) expect_a_possible_end(*ends[0], answered);
  }

  void expect_a_possible_end(const Event& end, const std::vector<const Event*>& answered) {
    const Outcome& outcome = end.outcome;
    EXPECT_TRUE(outcome.ok() || !GetParam().always_answers);
    switch (outcome.served) {
      case Served::live:
        ASSERT_FALSE(answered.empty());
        EXPECT_TRUE(answered.back()->outcome.ok()) << "the last attempt is the answer";
        EXPECT_EQ(answered.back()->at, end.at);
        return;
      case Served::fallback:
        EXPECT_TRUE(GetParam().always_answers);
        return;
      case Served::nothing: {
        const auto said_so = [&](const Event* attempt) {
          return attempt->outcome.kind == outcome.kind;
        };
        EXPECT_TRUE(std::ranges::any_of(answered, said_so)) << "no attempt failed like this";
        return;
      }
      case Served::cached:
      case Served::shared:
      case Served::stale:
        ADD_FAILURE() << "nobody else has asked this";
    }
  }
};

std::string describe(const Change& change) {
  std::string text;
  if (change.step) {
    text += fmt::format("step {} ends as {}", *change.step, to_string(change.kind));
  }
  if (change.cancel) {
    text += fmt::format(" cancelled at {}{}", format_duration(*change.cancel),
                        change.cancel_last ? ", last of all" : "");
  }
  return text + (change.slow_store ? ", slow store" : "");
}

TEST_P(FailEveryStep, TheScriptItselfReachesTheSecondRouteAsAProbe) {
  Stage stage(load(GetParam()));
  fly(stage, {});
  const auto asked = of_hero(stage, Event::What::asked);
  ASSERT_GE(asked.size(), 3U);
  EXPECT_EQ(asked.front()->target, 0);
  EXPECT_EQ(asked.back()->target, 1);
  const auto is_probe = [](const Event& event) {
    return event.what == Event::What::moved && event.to == BreakerState::half_open;
  };
  EXPECT_TRUE(std::ranges::any_of(stage.events(), is_probe));
}

TEST_P(FailEveryStep, InEveryWayAndTheBooksBalance) {
  for (std::size_t step = 0; step < GetParam().most_attempts; ++step) {
    for (std::size_t kind = 0; kind < outcome_kind_count; ++kind) {
      const Change change{.step = step, .kind = static_cast<OutcomeKind>(kind)};
      SCOPED_TRACE(describe(change));
      Stage stage(load(GetParam()));
      fly(stage, change);
      if (HasFailure()) return;
    }
  }
}

// Every instant at which something happens, and one between each two.
std::set<Duration> instants_of(const Stage& stage) {
  std::set<Duration> instants{hero_begins};
  for (const Event& event : stage.events()) {
    if (event.at >= at(hero_begins)) instants.insert(event.at - Instant{});
  }
  std::set<Duration> all = instants;
  for (auto next = std::next(instants.begin()); next != instants.end(); ++next) {
    all.insert((*std::prev(next) + *next) / 2);
  }
  return all;
}

TEST_P(FailEveryStep, AndBeCancelledAtEveryStepAndTheBooksBalance) {
  for (const bool slow_store : {false, true}) {
    Stage whole(load(GetParam()));
    fly(whole, {.slow_store = slow_store});
    for (const Duration instant : instants_of(whole)) {
      for (const bool last : {false, true}) {
        const Change change{.cancel = instant, .cancel_last = last, .slow_store = slow_store};
        SCOPED_TRACE(describe(change));
        Stage stage(load(GetParam()));
        fly(stage, change);
        if (HasFailure()) return;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(With, FailEveryStep,
                         ::testing::Values(Flight{"guide-layered", 6, true},
                                           Flight{"guide-breaker-class", 6, true},
                                           Flight{"recommended", 4, false},
                                           Flight{"limited", 4, false, "tests/corpus/policies/"}),
                         [](const auto& instance) {
                           std::string name = instance.param.policy;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace brownout::testing
