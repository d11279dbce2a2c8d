#include "cli/traces.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "reports/trace/chrome_trace.hpp"
#include "reports/trace/otlp.hpp"

namespace brownout::cli {
namespace {

reports::TraceNames names_of(const Flight& flight, std::uint64_t seed) {
  reports::TraceNames names;
  names.scenario = flight.scenario.name;
  names.policy = flight.policy.name;
  names.seed = seed;
  names.starts_at = flight.scenario.starts_at;
  for (std::size_t i = 0; i < flight.bound.routes.size(); ++i) {
    names.routes.push_back({flight.bound.routes[i], flight.bound.targets[i]});
  }
  names.breakers = flight.bound.breakers;
  for (const mock::PhaseSpec& phase : flight.scenario.script.phases) {
    auto& named = names.phases.emplace_back();
    named.name = phase.name;
    named.begins = Instant{} + phase.begin;
    named.ends = Instant{} + phase.until;
    for (const mock::FaultSpec& fault : phase.faults) named.faults.push_back(fault.to_string());
  }
  return names;
}

Result<Instant> read_time(std::string_view option, const std::string& text, Instant absent) {
  if (text.empty()) return absent;
  const auto time = parse_duration(text);
  if (time) return after(Instant{}, *time);
  return fail(ErrorKind::invalid,
              fmt::format("{} {}: expected a time since the scenario's start, such as 1h2m3.5s",
                          option, text));
}

template <class Trace>
std::unique_ptr<Trace> make(const reports::TraceNames& names, reports::TimeWindow window,
                            OutputFile* file) {
  if (file == nullptr) return nullptr;
  return std::make_unique<Trace>(names, window,
                                 [file](std::string_view text) { file->write(text); });
}

}  // namespace

void add_trace_outputs(CLI::App& command, Outputs& outputs, TraceWindow& window) {
  outputs.add(command, "--trace",
              "Write a trace there that ui.perfetto.dev opens; that of a long run is large: cut "
              "out what you want to see",
              Outputs::Holds::one);
  outputs.add(command, "--otlp",
              "Write OpenTelemetry traces there as JSON lines, a trace for each call",
              Outputs::Holds::one);
  command
      .add_option("--from", window.from,
                  "Begin --trace and --otlp at this virtual time, such as 1h2m")
      ->type_name("TIME");
  command.add_option("--until", window.until, "End them before this one")->type_name("TIME");
}

Result<reports::TimeWindow> read_window(const TraceWindow& window, const Outputs& outputs) {
  const auto from = read_time("--from", window.from, Instant{});
  if (!from) return tl::unexpected(from.error());
  const auto until = read_time("--until", window.until, never);
  if (!until) return tl::unexpected(until.error());
  if (*from >= *until) {
    return fail(ErrorKind::invalid,
                fmt::format("nothing lies between --from {} and --until {}",
                            window.from.empty() ? "0s" : window.from, window.until));
  }
  const bool given = !window.from.empty() || !window.until.empty();
  if (given && !outputs.is_given("--trace") && !outputs.is_given("--otlp")) {
    return fail(ErrorKind::invalid,
                "--from and --until cut what --trace and --otlp write, and neither is given");
  }
  return reports::TimeWindow{*from, *until};
}

Traces::Traces(const Flight& flight, std::uint64_t seed, reports::TimeWindow window,
               Outputs& outputs) {
  const reports::TraceNames names = names_of(flight, seed);
  trace_ = make<reports::ChromeTrace>(names, window, outputs.file("--trace"));
  otlp_ = make<reports::OtlpTrace>(names, window, outputs.file("--otlp"));
}

Traces::~Traces() = default;

Observer* Traces::trace() {
  return trace_.get();
}

Observer* Traces::otlp() {
  return otlp_.get();
}

void Traces::finish(const sim::RunResult& result) {
  // The last phase lasts as long as it was meant to, even if nothing happens at its end.
  const bool completed = result.end == sim::RunEnd::completed;
  const Instant ended = completed ? std::max(result.ended, result.scenario_ends) : result.ended;
  if (trace_) trace_->finish(ended);
  if (otlp_) otlp_->finish();
}

}  // namespace brownout::cli
