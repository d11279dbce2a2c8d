#include "reports/trace/otlp.hpp"

#include <xxhash.h>

#include <algorithm>
#include <array>

namespace brownout::reports {

// Semantic conventions 1.41.0, the last release to hold those for GenAI (all of them "Development"
// still; they have a repository of their own since, open-telemetry/semantic-conventions-genai):
// docs/gen-ai/gen-ai-spans.md, "Inference", for gen_ai.* and the span's name and kind;
// docs/general/recording-errors.md for error.type and the status; docs/registry/attributes/http.md.
// Whoever moves to another release looks these up and changes this line.
const std::string_view semantic_conventions_url = "https://opentelemetry.io/schemas/1.41.0";

namespace {

constexpr std::string_view operation = "chat";

// opentelemetry-proto, trace.proto: SpanKind and StatusCode.
constexpr int kind_internal = 1;
constexpr int kind_client = 3;
constexpr int status_error = 2;

std::array<std::uint8_t, 24> key_of(std::uint64_t seed, CallId call, std::uint64_t span) {
  std::array<std::uint8_t, 24> key{};
  std::size_t at = 0;
  for (std::uint64_t part : {seed, std::uint64_t{call}, span}) {
    for (int i = 0; i < 8; ++i, part >>= 8) key[at++] = static_cast<std::uint8_t>(part);
  }
  return key;
}

// An id must not be zero.
std::uint64_t nonzero(std::uint64_t hash) {
  return hash == 0 ? 1 : hash;
}

std::string trace_id_of(std::uint64_t seed, CallId call) {
  const auto key = key_of(seed, call, 0);
  const XXH128_hash_t hash = XXH3_128bits(key.data(), key.size());
  return fmt::format("{:016x}{:016x}", nonzero(hash.high64), hash.low64);
}

// `span`: 0 for the call, else the attempt's number.
std::string span_id_of(std::uint64_t seed, CallId call, std::uint64_t span) {
  const auto key = key_of(seed, call, span);
  return fmt::format("{:016x}", nonzero(XXH3_64bits(key.data(), key.size())));
}

// An attempt or a call nobody waits for any more has not failed.
bool is_error(OutcomeKind kind) {
  return kind != OutcomeKind::success && kind != OutcomeKind::cancelled;
}

std::string attribute(std::string_view key, std::string_view value) {
  return fmt::format(R"({{"key":"{}","value":{{"stringValue":{}}}}})", key, json_string(value));
}

}  // namespace

OtlpTrace::OtlpTrace(TraceNames names, TimeWindow window, Sink sink)
    : CallRecorder(window), out_(std::move(sink)), seed_(names.seed), starts_at_(names.starts_at) {
  for (const TraceNames::Route& route : names.routes) {
    const auto slash = std::min(route.target.find('/'), route.target.size());
    const std::string model = route.target.substr(std::min(slash + 1, route.target.size()));
    models_.push_back({json_string(route.name), json_string(route.target.substr(0, slash)),
                       json_string(model), json_string(fmt::format("{} {}", operation, model))});
  }
  for (const std::string& breaker : names.breakers) breakers_.push_back(json_string(breaker));
  resource_ = fmt::format(
      R"({{"attributes":[{},{},{},{{"key":"brownout.seed","value":{{"intValue":"{}"}}}}]}})",
      attribute("service.name", "brownout"), attribute("brownout.scenario", names.scenario),
      attribute("brownout.policy", names.policy), names.seed);
}

void OtlpTrace::on_record(const CallRecord& record) {
  if (calls_on_line_ == 0) {
    line_began_ = out_.size();
    out_.print(
        R"({{"resourceSpans":[{{"resource":{},"scopeSpans":[{{"scope":{{"name":"brownout"}},)"
        R"("spans":[)",
        resource_);
    first_ = true;
  }
  const std::string trace_id = trace_id_of(seed_, record.call);
  const std::string root_id = span_id_of(seed_, record.call, 0);
  write_root(record, trace_id, root_id);
  std::vector<const CallRecord::Attempt*> attempts;
  for (const CallRecord::Attempt& attempt : record.attempts) attempts.push_back(&attempt);
  std::ranges::sort(attempts, {}, [](const auto* attempt) { return attempt->event.number; });
  for (const auto* attempt : attempts) write_attempt(record, *attempt, trace_id, root_id);
  ++calls_on_line_;
  if (calls_on_line_ == calls_per_line || out_.size() - line_began_ >= bytes_per_line) end_line();
}

void OtlpTrace::write_root(const CallRecord& record, const std::string& trace_id,
                           const std::string& span_id) {
  begin_span(trace_id, span_id, {});
  out_.print(R"("name":"brownout.call","kind":{},"startTimeUnixNano":"{}","endTimeUnixNano":"{}",)"
             R"("attributes":[)",
             kind_internal, unix_ns(record.started), unix_ns(record.ended));
  first_ = true;
  number("brownout.call", record.call);
  if (record.given_up) {
    word("brownout.given_up_by", record.by_caller ? "caller" : "shutdown");
  } else {
    word("brownout.end", to_string(record.end));
    word("brownout.served", to_string(record.served));
  }
  word("brownout.outcome", to_string(record.kind));
  if (record.route != no_route) text("brownout.route", models_[record.route].route);
  number("brownout.attempts", std::uint64_t{record.attempts_made});
  number("brownout.billed_tokens", record.billed_tokens);
  if (record.failed()) word("error.type", to_string(record.kind));
  out_.print("]");
  if (!record.notes.empty()) {
    out_.print(R"(,"events":[)");
    first_ = true;
    for (const CallRecord::Note& note : record.notes) write_note(note);
    out_.print("]");
  }
  if (record.failed()) out_.print(R"(,"status":{{"code":{}}})", status_error);
  out_.print("}}");
  first_ = false;
}

void OtlpTrace::write_attempt(const CallRecord& record, const CallRecord::Attempt& attempt,
                              const std::string& trace_id, const std::string& root_id) {
  const AttemptEvent& event = attempt.event;
  const Model& model = models_[event.route];
  begin_span(trace_id, span_id_of(seed_, record.call, event.number), root_id);
  out_.print(R"("name":{},"kind":{},"startTimeUnixNano":"{}","endTimeUnixNano":"{}",)"
             R"("attributes":[)",
             model.span, kind_client, unix_ns(event.started), unix_ns(event.ended));
  first_ = true;
  word("gen_ai.operation.name", operation);
  text("gen_ai.provider.name", model.provider);
  text("gen_ai.request.model", model.model);
  number("gen_ai.usage.input_tokens", std::uint64_t{attempt.input_tokens});
  number("gen_ai.usage.output_tokens", std::uint64_t{attempt.output_tokens});
  if (attempt.status != 0) number("http.response.status_code", std::uint64_t{attempt.status});
  if (is_error(attempt.kind)) word("error.type", to_string(attempt.kind));
  number("brownout.attempt", std::uint64_t{event.number});
  text("brownout.route", model.route);
  word("brownout.outcome", to_string(attempt.kind));
  if (event.copy != 0) number("brownout.hedge", std::uint64_t{event.copy});
  if (attempt.retry_after) number("brownout.retry_after_ns", *attempt.retry_after);
  out_.print("]");
  if (is_error(attempt.kind)) out_.print(R"(,"status":{{"code":{}}})", status_error);
  out_.print("}}");
  first_ = false;
}

void OtlpTrace::begin_span(std::string_view trace_id, std::string_view span_id,
                           std::string_view parent_id) {
  out_.print(R"({}{{"traceId":"{}","spanId":"{}",)", first_ ? "" : ",", trace_id, span_id);
  if (!parent_id.empty()) out_.print(R"("parentSpanId":"{}",)", parent_id);
}

void OtlpTrace::write_note(const CallRecord::Note& note) {
  if (const auto* wait = std::get_if<WaitEvent>(&note)) {
    begin_note("brownout.wait", wait->from);
    word("brownout.reason", to_string(wait->reason));
    if (wait->reason == WaitReason::retry && wait->cause != OutcomeKind::success) {
      word("brownout.cause", to_string(wait->cause));
    }
    if (wait->route != no_route) text("brownout.route", models_[wait->route].route);
    if (wait->copy != 0) number("brownout.hedge", std::uint64_t{wait->copy});
    number("brownout.wait_ns", wait->until - wait->from);
  } else if (const auto* hedge = std::get_if<HedgeEvent>(&note)) {
    begin_note("brownout.hedge", hedge->at);
    number("brownout.hedge", std::uint64_t{hedge->number});
    if (hedge->route != no_route) text("brownout.route", models_[hedge->route].route);
  } else if (const auto* lookup = std::get_if<LookupEvent>(&note)) {
    begin_note("brownout.lookup", lookup->at);
    word("brownout.result", to_string(lookup->result));
  } else {
    const auto& rejection = std::get<RejectionEvent>(note);
    begin_note("brownout.rejection", rejection.at);
    word("brownout.outcome", to_string(rejection.kind));
    if (rejection.breaker != no_breaker) text("brownout.breaker", breakers_[rejection.breaker]);
  }
  out_.print("]}}");
  first_ = false;
}

void OtlpTrace::begin_note(std::string_view name, Instant at) {
  out_.print(R"({}{{"timeUnixNano":"{}","name":"{}","attributes":[)", first_ ? "" : ",",
             unix_ns(at), name);
  first_ = true;
}

void OtlpTrace::end_line() {
  out_.print(R"(],"schemaUrl":"{}"}}],"schemaUrl":"{}"}}]}})"
             "\n",
             semantic_conventions_url, semantic_conventions_url);
  calls_on_line_ = 0;
}

void OtlpTrace::finish() {
  if (calls_on_line_ > 0) end_line();
  out_.flush();
}

void OtlpTrace::text(std::string_view key, std::string_view value) {
  out_.print(R"({}{{"key":"{}","value":{{"stringValue":{}}}}})", first_ ? "" : ",", key, value);
  first_ = false;
}

void OtlpTrace::word(std::string_view key, std::string_view value) {
  out_.print(R"({}{{"key":"{}","value":{{"stringValue":"{}"}}}})", first_ ? "" : ",", key, value);
  first_ = false;
}

void OtlpTrace::number(std::string_view key, std::uint64_t value) {
  out_.print(R"({}{{"key":"{}","value":{{"intValue":"{}"}}}})", first_ ? "" : ",", key, value);
  first_ = false;
}

void OtlpTrace::number(std::string_view key, Duration value) {
  number(key, static_cast<std::uint64_t>(value.count()));
}

std::int64_t OtlpTrace::unix_ns(Instant at) const {
  return (starts_at_.time_since_epoch() + at.time_since_epoch()).count();
}

}  // namespace brownout::reports
