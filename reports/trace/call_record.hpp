#pragma once

// Calls put together from the events of a run, for reports that draw or send whole calls.

#include <cstdint>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "engine/core/outcome.hpp"
#include "engine/core/time.hpp"
#include "engine/telemetry/observer.hpp"

namespace brownout::reports {

/// What a run's events refer to by number, and what they do not tell. Any text will do: whoever
/// writes it escapes it.
struct TraceNames {
  struct Route {
    std::string name;
    std::string target;  ///< "provider/model"; empty where it only branches
  };
  struct Phase {
    std::string name;
    Instant begins{};
    Instant ends{};
    std::vector<std::string> faults;  ///< "server_error on openai/*, share 0.97"
  };

  std::string scenario;
  std::string policy;
  std::uint64_t seed = 0;
  SystemTime starts_at{};             ///< calendar time at Instant{}
  std::vector<Route> routes;          ///< by RouteId
  std::vector<std::string> breakers;  ///< by BreakerId
  std::vector<Phase> phases;          ///< in order, without gaps
};

/// A part of a run in virtual time, `until` excluded. A call belongs to it when some of the call
/// lies in it; it is then told whole.
struct TimeWindow {
  Instant from{};
  Instant until = never;

  bool contains(Instant at) const { return at >= from && at < until; }
  bool touches(Instant begin, Instant end) const { return begin < until && end >= from; }
};

/// One call from its arrival to its end.
struct CallRecord {
  struct Attempt {
    AttemptEvent event;
    OutcomeKind kind = OutcomeKind::success;
    std::uint16_t status = 0;
    std::optional<Duration> retry_after;
    std::uint32_t input_tokens = 0;   ///< as billed
    std::uint32_t output_tokens = 0;  ///< as billed
  };
  using Note = std::variant<WaitEvent, HedgeEvent, LookupEvent, RejectionEvent>;

  CallId call = 0;
  Instant started{};
  std::vector<Attempt> attempts;  ///< in order of their ends
  std::vector<Note> notes;        ///< everything else, in order

  // How it ended.
  Instant ended{};
  bool given_up = false;  ///< without an outcome; `by_caller`, or because the run stopped
  bool by_caller = false;
  CallEnd end = CallEnd::failed;              ///< unless given up
  OutcomeKind kind = OutcomeKind::cancelled;  ///< that, for a call given up
  Served served = Served::nothing;
  RouteId route = no_route;  ///< that answered or failed
  std::uint32_t attempts_made = 0;
  std::uint64_t billed_tokens = 0;
  bool rejected = false;  ///< some policy turned it away at least once

  /// Whether the call failed. One that was given up did not: nobody waits for it.
  bool failed() const { return !given_up && end == CallEnd::failed; }
};

/// When a note was made.
Instant instant_of(const CallRecord::Note& note);

/// Hears a run and hands out each call that touches the window when it is over.
///
/// *Threads*: one. Holds what is in flight and nothing else.
class CallRecorder : public Observer {
 public:
  explicit CallRecorder(TimeWindow window) : window_(window) {}

  void on_call_start(const CallStartEvent& event) override;
  void on_attempt(const AttemptEvent& event, const Outcome& outcome) override;
  void on_wait(const WaitEvent& event) override { note(event.call, event); }
  void on_hedge(const HedgeEvent& event) override { note(event.call, event); }
  void on_lookup(const LookupEvent& event) override { note(event.call, event); }
  void on_rejection(const RejectionEvent& event) override { note(event.call, event); }
  void on_call(const CallEvent& event, const Outcome& outcome) override;
  void on_give_up(const GiveUpEvent& event) override;

 protected:
  const TimeWindow& window() const { return window_; }

  /// `record` is valid during the function only.
  virtual void on_record(const CallRecord& record) = 0;

 private:
  CallRecord* find(CallId call);
  void note(CallId call, const CallRecord::Note& note);
  void hand_out(CallId call);

  TimeWindow window_;
  std::unordered_map<CallId, CallRecord> in_flight_;
};

}  // namespace brownout::reports
