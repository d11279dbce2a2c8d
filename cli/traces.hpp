#pragma once

// The outputs of a run that show its calls one by one: --trace and --otlp.

#include <memory>
#include <string>

#include "cli/flight.hpp"
#include "cli/outputs.hpp"
#include "engine/telemetry/observer.hpp"
#include "reports/trace/call_record.hpp"

namespace brownout::reports {
class ChromeTrace;
class OtlpTrace;
}  // namespace brownout::reports

namespace brownout::cli {

/// The part of a run that is written, as scenario files spell durations.
struct TraceWindow {
  std::string from;   ///< empty: from the beginning
  std::string until;  ///< empty: to the end
};

/// Adds --trace, --otlp, --from and --until. The window lives as long as the command.
void add_trace_outputs(CLI::App& command, Outputs& outputs, TraceWindow& window);

/// Errors: invalid, when it is no window, or there is nothing to cut it out of.
Result<reports::TimeWindow> read_window(const TraceWindow& window, const Outputs& outputs);

/// Writes what was asked for while one flight goes on.
class Traces {
 public:
  /// Requires: outputs are open, and live longer.
  Traces(const Flight& flight, std::uint64_t seed, reports::TimeWindow window, Outputs& outputs);
  ~Traces();

  /// Null when not asked for.
  Observer* trace();
  Observer* otlp();

  /// Ends the documents, once the run is over.
  void finish(const sim::RunResult& result);

 private:
  std::unique_ptr<reports::ChromeTrace> trace_;
  std::unique_ptr<reports::OtlpTrace> otlp_;
};

}  // namespace brownout::cli
