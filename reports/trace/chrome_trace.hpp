#pragma once

// A run as a trace that ui.perfetto.dev and chrome://tracing open (Trace Event Format, JSON).
//
// Both draw the slices of one thread as a stack, so slices that overlap without one holding the
// other are misplaced (google/perfetto, docs/getting-started/other-formats.md and issue 4280). What
// overlaps therefore lies on threads of its own:
//
//     process "calls"     a thread per slot: a call takes the lowest that is free, from its arrival
//                         to its end; its own attempts and waits lie inside it. Each copy that
//                         races has a thread beside it, "slot 3, hedges". Arrows lead from an
//                         attempt that failed to the next one (retry, or fallback at another
//                         route), and from an attempt to its hedge. Counter: calls in flight.
//     "provider/model"    a process each, with a counter of its attempts in flight
//     "breakers"          a thread and two counters per breaker: its changes, its state (0 closed,
//                         1 half-open, 2 open), how often it has opened
//     "faults"            the phases of the scenario, and the faults of each below it
//
// Numbers of threads are unique over all processes, and no process has one of them, because readers
// take a number for one thread wherever it stands.

#include <functional>
#include <map>
#include <queue>
#include <string>
#include <vector>

#include "reports/text/text_sink.hpp"
#include "reports/trace/call_record.hpp"

namespace brownout::reports {

/// Writes while the run goes on; calls appear when they end. Times are microseconds of virtual time
/// with their nanoseconds behind the point. Counters and breakers are told from the window's
/// beginning to its end, calls that touch it whole, phases as far as they lie in it.
///
/// *Threads*: one. *Determinism*: a function of names, window and events. Holds what is in flight.
class ChromeTrace final : public CallRecorder {
 public:
  ChromeTrace(TraceNames names, TimeWindow window, Sink sink);

  void on_call_start(const CallStartEvent& event) override;
  void on_attempt_start(const AttemptStartEvent& event) override;
  void on_attempt(const AttemptEvent& event, const Outcome& outcome) override;
  void on_breaker(const BreakerEvent& event) override;
  void on_call(const CallEvent& event, const Outcome& outcome) override;
  void on_give_up(const GiveUpEvent& event) override;

  /// Writes what is left and closes the document, which is then valid JSON whatever the run came
  /// to. `ended`: when the run was over; what the scenario had planned for later is left out. Call
  /// it once, after the last event.
  void finish(Instant ended);

 private:
  // A number that changes so often that only its last value at each instant is written.
  struct Counter {
    std::uint32_t process = 0;
    std::string name;   // escaped, with quotes
    std::string value;  // what is counted, likewise
    std::int64_t now = 0;
    Instant changed{};
    bool written = true;
  };
  // What lies on a lane: an attempt or a wait.
  struct Slice {
    Instant begin{};
    Instant end{};
    std::uint32_t copy = 0;
    const CallRecord::Attempt* attempt = nullptr;  // else:
    const WaitEvent* wait = nullptr;
    std::uint32_t thread = 0;
  };

  void on_record(const CallRecord& record) override;

  std::vector<Slice> slices_of(const CallRecord& record) const;
  void assign_threads(std::vector<Slice>& slices, std::size_t slot);
  void write_call(const CallRecord& record, std::uint32_t thread);
  void write_slice(const Slice& slice);
  void write_attempt(const Slice& slice);
  void write_note(const CallRecord::Note& note, std::uint32_t thread);
  void write_arrows(const CallRecord& record, const std::vector<Slice>& slices);
  void write_arrow(std::string_view what, const Slice& from, Instant at, const Slice& to);
  void write_phases(Instant ended);

  void end_call(CallId call, Instant at);
  void set(Counter& counter, std::int64_t value, Instant at);
  void write(const Counter& counter, Instant at);
  void open_window();

  std::uint32_t lane(std::size_t slot, std::size_t beside);
  void name_process(std::uint32_t process, std::string_view name);
  std::uint32_t name_thread(std::uint32_t process, std::string_view name, std::size_t order);
  void begin_event();
  const std::string& route(RouteId id) const;
  const std::string& target(RouteId id) const;

  TraceNames names_;  // all of them escaped, with quotes
  TextSink out_;
  bool first_ = true;
  bool window_open_ = false;
  std::uint32_t threads_ = 0;
  std::uint64_t arrows_ = 0;
  std::map<CallId, std::size_t> slots_;  // of the calls in flight
  std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> free_slots_;
  std::vector<std::vector<std::uint32_t>>
      lanes_;  // thread by slot and place beside it; 0: none yet

  Counter calls_;
  std::vector<Counter> attempts_;          // by target
  std::vector<std::size_t> target_of_;     // index in attempts_, by RouteId
  std::vector<std::uint32_t> breakers_;    // thread by BreakerId
  std::vector<Counter> breaker_states_;    // by BreakerId
  std::vector<Counter> breaker_openings_;  // by BreakerId
};

}  // namespace brownout::reports
