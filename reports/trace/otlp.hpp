#pragma once

// A run as OpenTelemetry traces in OTLP's JSON encoding, one TracesData a line: what a collector's
// otlpjsonfile receiver reads, and what POSTed line by line an OTLP/HTTP endpoint takes.
//
// A call is a trace. Its root span is the call as its caller saw it; each attempt is a child span,
// the client span of the GenAI conventions, so that a backend that adds up tokens counts each
// billed token once. Waits, hedges, rejections and lookups are events of the root span.

#include <string>
#include <string_view>

#include "reports/text/text_sink.hpp"
#include "reports/trace/call_record.hpp"

namespace brownout::reports {

/// The conventions that attributes not called `brownout.…` follow.
extern const std::string_view semantic_conventions_url;

/// Ids are hashes of (seed, call, attempt), times are those of the scenario's `starts_at` and
/// onwards: the same run gives the same bytes. Calls appear when they end, `calls_per_line` to a
/// line, or fewer where a line would become longer than a collector reads (its file readers take
/// 1 MiB unless told otherwise).
///
/// *Threads*: one. *Determinism*: a function of names, window and events. Holds what is in flight.
class OtlpTrace final : public CallRecorder {
 public:
  static constexpr std::size_t calls_per_line = 100;
  static constexpr std::uint64_t bytes_per_line = 500'000;  ///< after which a line ends

  OtlpTrace(TraceNames names, TimeWindow window, Sink sink);

  /// Writes what is left. Call it once, after the last event.
  void finish();

 private:
  void on_record(const CallRecord& record) override;

  void write_root(const CallRecord& record, const std::string& trace_id,
                  const std::string& span_id);
  void write_attempt(const CallRecord& record, const CallRecord::Attempt& attempt,
                     const std::string& trace_id, const std::string& root_id);
  void begin_span(std::string_view trace_id, std::string_view span_id, std::string_view parent_id);
  void write_note(const CallRecord::Note& note);
  void begin_note(std::string_view name, Instant at);
  void end_line();

  void text(std::string_view key, std::string_view value);  // escaped, with quotes
  void word(std::string_view key, std::string_view value);  // needs no escapes
  void number(std::string_view key, std::uint64_t value);
  void number(std::string_view key, Duration value);
  std::int64_t unix_ns(Instant at) const;

  struct Model {
    std::string route;  // all escaped, with quotes
    std::string provider;
    std::string model;
    std::string span;
  };

  TextSink out_;
  std::uint64_t seed_;
  SystemTime starts_at_;
  std::vector<Model> models_;          // by RouteId
  std::vector<std::string> breakers_;  // escaped, with quotes
  std::string resource_;
  std::size_t calls_on_line_ = 0;
  std::uint64_t line_began_ = 0;
  bool first_ = true;  // of the attributes or spans being written
};

}  // namespace brownout::reports
