#include "engine/telemetry/observers.hpp"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "tests/support/engine/event_script.hpp"

namespace brownout {
namespace {

using ::testing::ElementsAre;

// Writes down who heard what, in a list that may be shared.
class Listener final : public Observer {
 public:
  Listener(std::string name, std::vector<std::string>& heard)
      : name_(std::move(name)), heard_(heard) {}

  void on_call_start(const CallStartEvent& event) override { hear("call_start", event.call); }
  void on_attempt_start(const AttemptStartEvent& event) override {
    hear("attempt_start", event.call);
  }
  void on_attempt(const AttemptEvent& event, const Outcome& outcome) override {
    hear("attempt", event.call, to_string(outcome.kind));
  }
  void on_wait(const WaitEvent& event) override { hear("wait", event.call); }
  void on_hedge(const HedgeEvent& event) override { hear("hedge", event.call); }
  void on_lookup(const LookupEvent& event) override { hear("lookup", event.call); }
  void on_breaker(const BreakerEvent& event) override { hear("breaker", event.breaker); }
  void on_breaker_failure(const BreakerFailureEvent& event) override {
    hear("breaker_failure", event.call);
  }
  void on_rejection(const RejectionEvent& event) override { hear("rejection", event.call); }
  void on_call(const CallEvent& event, const Outcome& outcome) override {
    hear("call", event.call, to_string(outcome.kind));
  }
  void on_give_up(const GiveUpEvent& event) override { hear("give_up", event.call); }

 private:
  void hear(const char* what, std::uint64_t id, std::string_view how = "") {
    heard_.push_back(name_ + what + " " + std::to_string(id) + " " + std::string(how));
  }

  std::string name_;
  std::vector<std::string>& heard_;
};

TEST(Observers, EachHearsEveryEvent) {
  std::vector<std::string> alone;
  Listener listener("", alone);
  testing::play_every_event(listener);

  std::vector<std::string> first;
  std::vector<std::string> second;
  Listener one("", first);
  Listener two("", second);
  Observers both({&one, &two});
  testing::play_every_event(both);
  EXPECT_EQ(first, alone);
  EXPECT_EQ(second, alone);
  for (const char* what : {"call_start", "attempt_start", "attempt ", "wait", "hedge", "lookup",
                           "breaker ", "breaker_failure", "rejection", "call ", "give_up"}) {
    EXPECT_TRUE(
        std::ranges::any_of(alone, [&](const std::string& line) { return line.starts_with(what); }))
        << "the script has no " << what;
  }
}

TEST(Observers, HearAnEventInTheOrderTheyWereGiven) {
  std::vector<std::string> heard;
  Listener one("first: ", heard);
  Listener two("second: ", heard);
  Observers both({&one, nullptr, &two});
  both.on_hedge({.call = 1});
  both.on_wait({.call = 2});
  EXPECT_THAT(heard, ElementsAre("first: hedge 1 ", "second: hedge 1 ", "first: wait 2 ",
                                 "second: wait 2 "));
}

TEST(Observers, NobodyIsFine) {
  Observers nobody({nullptr});
  testing::play_every_event(nobody);
}

}  // namespace
}  // namespace brownout
