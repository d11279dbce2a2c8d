#include "mockserver/foresight.hpp"

#include <rapidcheck/gtest.h>

#include "tests/mockserver/scripts.hpp"

namespace brownout::mock::testing {
namespace {

Foresight foreseen(const std::string& faults, Duration elapsed = 10min, ModelId model = gpt4) {
  const World world(Scene{.faults = faults});
  return foresee(world.script().phases.front(), model, elapsed);
}

TEST(Foresight, AnOutageRefusesUntilThePhaseEndsAndTheLastGoesOn) {
  EXPECT_EQ(foreseen("[]").fate, Fate::undecided);
  const Foresight outage = foreseen(R"([{"on": "*", "outage": true}])");
  EXPECT_EQ(outage.fate, Fate::refused);
  EXPECT_EQ(outage.until, 1h);
  EXPECT_EQ(foreseen(R"([{"on": "*", "wire": "refuse"}])", 1h).until, forever);
}

TEST(Foresight, IsAboutOneModel) {
  const std::string one = R"([{"on": "openai/gpt-4", "outage": true}])";
  EXPECT_EQ(foreseen(one, 0s, gpt4).fate, Fate::refused);
  EXPECT_EQ(foreseen(one, 0s, claude).fate, Fate::undecided);
}

TEST(Foresight, WhatIsNotRefusedForCertainDepends) {
  for (const char* fault :
       {R"("outage": true, "share": 0.99)", R"("outage": true, "first": 3)",
        R"("outage": true, "share": {"ramp": [0, 1]})", R"("unreachable": true)", R"("hang": true)",
        R"("wire": "reset", "at": "after_accept")", R"("error": "overloaded")",
        R"("sequence": ["connection"], "repeat": true)"}) {
    EXPECT_EQ(foreseen(fmt::format(R"([{{"on": "*", {}}}])", fault)).fate, Fate::depends) << fault;
  }
}

TEST(Foresight, WhatComesFirstInTheFileIsAskedFirst) {
  EXPECT_EQ(
      foreseen(R"([{"on": "*", "sequence": ["overloaded"]}, {"on": "*", "outage": true}])").fate,
      Fate::depends);
  EXPECT_EQ(
      foreseen(R"([{"on": "*", "outage": true}, {"on": "*", "sequence": ["overloaded"]}])").fate,
      Fate::refused);
}

TEST(Foresight, LatencyAndWhatIsBehindTheLimitsDoNotCount) {
  const std::string faults = R"([
      {"on": "*", "latency": {"add": "1s"}},
      {"on": "*", "hang": true, "first": 1, "after_limits": true},
      {"on": "*", "error": "overloaded", "share": 0},
      {"on": "*", "outage": true}])";
  EXPECT_EQ(foreseen(faults).fate, Fate::refused);
}

TEST(Foresight, AFlapChangesToTheNanosecond) {
  // 0s on | 10s off | 30s on | 40s off
  const std::string flap =
      R"([{"on": "*", "outage": true, "share": {"flap": {"on": "10s", "off": "20s"}}}])";
  const auto is = [&](Duration elapsed, Fate fate, Duration until) {
    const Foresight found = foreseen(flap, elapsed);
    EXPECT_EQ(found.fate, fate) << format_duration(elapsed);
    EXPECT_EQ(found.until, until) << format_duration(elapsed);
  };
  is(0s, Fate::refused, 10s);
  is(10s - 1ns, Fate::refused, 10s);
  is(10s, Fate::undecided, 30s);
  is(30s - 1ns, Fate::undecided, 30s);
  is(30s, Fate::refused, 40s);
}

// Whatever is foreseen comes true, for every request until then.
RC_GTEST_PROP(Foresight, ComesTrue, ()) {
  const auto on = *rc::gen::inRange(1, 100);
  const auto off = *rc::gen::inRange(1, 100);
  const auto share = *rc::gen::element(0.0, 0.5, 1.0);
  World world(Scene{.faults = fmt::format(
                        R"([{{"on": "*", "outage": true, "share": {{"flap": {{
                            "on": "{}s", "off": "{}s", "share": {}}}}}}}])",
                        on, off, share)});
  const Duration now{*rc::gen::inRange<std::int64_t>(0, (1h - 1ns).count())};
  const Foresight found = foresee(world.script().phases.front(), gpt4, now);
  RC_ASSERT(found.until > now);
  const Duration last = std::min<Duration>(found.until, 1h) - 1ns;
  std::uint64_t call = 0;
  for (const Duration time : {now, now + (last - now) / 2, last}) {
    const Plan plan = world.arrive({.model = gpt4, .call = ++call}, time).plan;
    const bool refused = plan.wire.word == WireWord::refuse;
    if (found.fate == Fate::refused) RC_ASSERT(refused);
    if (found.fate == Fate::undecided) RC_ASSERT(!refused);
  }
}

}  // namespace
}  // namespace brownout::mock::testing
