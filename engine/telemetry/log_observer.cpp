#include "engine/telemetry/log_observer.hpp"

#include <fmt/format.h>
#include <spdlog/logger.h>

#include "engine/core/check.hpp"

namespace brownout {
namespace {

// Writes one line. Messages are made of our own words, names and numbers: nothing to escape.
class Line {
 public:
  explicit Line(std::string_view message) { text_ = fmt::format("msg=\"{}\"", message); }

  template <class Value>
  Line& add(std::string_view key, const Value& value) {
    fmt::format_to(std::back_inserter(text_), " {}={}", key, value);
    return *this;
  }
  Line& add_route(const PipelineNames& names, RouteId id) {
    BROWNOUT_CHECK(id == no_route || id < names.routes.size());
    return id == no_route ? *this : add("route", names.routes[id].name);
  }
  Line& add(std::string_view key, Duration value) { return add(key, format_duration(value)); }

  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::string_view adjective(BreakerState state) {
  switch (state) {
    case BreakerState::closed:
      return "closed";
    case BreakerState::open:
      return "open";
    case BreakerState::half_open:
      return "half-open";
  }
  return "";
}

spdlog::level::level_enum level_of(const Outcome& failure) {
  return classify(failure.kind) == ErrorClass::critical ? spdlog::level::err : spdlog::level::warn;
}

std::string wait_message(const WaitEvent& event) {
  const std::string time = format_duration(event.until - event.from);
  switch (event.reason) {
    case WaitReason::retry:
      if (event.cause == OutcomeKind::success) break;
      return fmt::format("Retrying call {} in {} as it failed with {}", event.call, time,
                         to_string(event.cause));
    case WaitReason::quota:
      return fmt::format("Call {} waits {} for its share of a rate limit", event.call, time);
    case WaitReason::route:
      return fmt::format("Call {} waits {} until a route is ready", event.call, time);
  }
  return fmt::format("Retrying call {} in {}", event.call, time);
}

std::string_view lookup_text(LookupEvent::Result result) {
  switch (result) {
    case LookupEvent::Result::hit:
      return "found a fresh reply";
    case LookupEvent::Result::stale:
      return "found an old reply";
    case LookupEvent::Result::miss:
      return "found no stored reply";
    case LookupEvent::Result::shared:
      return "waits for the reply to another call";
  }
  return "";
}

}  // namespace

LogObserver::LogObserver(std::shared_ptr<spdlog::logger> logger, PipelineNames names,
                         const LogOptions& options)
    : logger_(std::move(logger)), names_(std::move(names)), options_(options) {
  BROWNOUT_CHECK(logger_ != nullptr);
}

LogObserver::~LogObserver() = default;

bool LogObserver::logs_everything() const {
  return options_.everything && logger_->should_log(spdlog::level::debug);
}

const std::string& LogObserver::breaker(BreakerId id) const {
  static const std::string none = "none";
  BROWNOUT_CHECK(id == no_breaker || id < names_.breakers.size());
  return id == no_breaker ? none : names_.breakers[id].name;
}

void LogObserver::on_attempt(const AttemptEvent& event, const Outcome& outcome) {
  if (!logs_everything()) return;
  Line line(fmt::format("Attempt {} of call {} ended in {}", event.number, event.call,
                        to_string(outcome.kind)));
  line.add("event", "attempt").add("call", event.call).add("attempt", event.number);
  line.add_route(names_, event.route).add("model", names_.routes[event.route].model);
  line.add("outcome", to_string(outcome.kind)).add("status", outcome.status);
  line.add("input_tokens", outcome.billed_input_tokens);
  line.add("output_tokens", outcome.billed_output_tokens);
  if (outcome.retry_after) line.add("retry_after", *outcome.retry_after);
  line.add("took", event.ended - event.started);
  logger_->debug("{}", line.text());
}

void LogObserver::on_wait(const WaitEvent& event) {
  const auto level = options_.before_sleep ? spdlog::level::warn : spdlog::level::debug;
  if (!options_.before_sleep && !options_.everything) return;
  if (!logger_->should_log(level)) return;
  Line line(wait_message(event));
  line.add("event", "wait").add("call", event.call).add_route(names_, event.route);
  line.add("reason", to_string(event.reason));
  if (event.reason == WaitReason::retry && event.cause != OutcomeKind::success) {
    line.add("outcome", to_string(event.cause));
  }
  line.add("wait", event.until - event.from);
  logger_->log(level, "{}", line.text());
}

void LogObserver::on_hedge(const HedgeEvent& event) {
  if (!logs_everything()) return;
  Line line(fmt::format("Call {} begins hedge {}", event.call, event.number));
  line.add("event", "hedge").add("call", event.call).add_route(names_, event.route);
  line.add("hedge", event.number);
  logger_->debug("{}", line.text());
}

void LogObserver::on_lookup(const LookupEvent& event) {
  if (!logs_everything()) return;
  Line line(fmt::format("Call {} {}", event.call, lookup_text(event.result)));
  line.add("event", "lookup").add("call", event.call).add("result", to_string(event.result));
  logger_->debug("{}", line.text());
}

void LogObserver::on_breaker(const BreakerEvent& event) {
  const auto level = event.to == BreakerState::open ? spdlog::level::warn : spdlog::level::info;
  if (!logger_->should_log(level)) return;
  Line line(fmt::format("Breaker {} is {}", breaker(event.breaker), adjective(event.to)));
  line.add("event", "breaker").add("breaker", breaker(event.breaker));
  line.add("from", to_string(event.from)).add("to", to_string(event.to));
  logger_->log(level, "{}", line.text());
}

void LogObserver::on_breaker_failure(const BreakerFailureEvent& event) {
  if (!logs_everything()) return;
  Line line(fmt::format("Breaker {} counts a failure", breaker(event.breaker)));
  line.add("event", "breaker_failure").add("call", event.call);
  line.add("breaker", breaker(event.breaker));
  logger_->debug("{}", line.text());
}

void LogObserver::on_rejection(const RejectionEvent& event) {
  if (!logs_everything()) return;
  Line line(fmt::format("Call {} is refused: {}", event.call, to_string(event.kind)));
  line.add("event", "rejection").add("call", event.call).add("outcome", to_string(event.kind));
  if (event.breaker != no_breaker) line.add("breaker", breaker(event.breaker));
  logger_->debug("{}", line.text());
}

void LogObserver::on_call(const CallEvent& event, const Outcome& outcome) {
  const CallEnd end = end_of(outcome);
  const bool failed = end == CallEnd::failed;
  if (!failed && !options_.everything) return;
  const auto level = failed ? level_of(outcome) : spdlog::level::debug;
  if (!logger_->should_log(level)) return;
  Line line(failed ? fmt::format("Call {} failed with {} after {} attempt{}", event.call,
                                 to_string(outcome.kind), event.attempts,
                                 event.attempts == 1 ? "" : "s")
                   : fmt::format("Call {} is answered: {}", event.call, to_string(end)));
  line.add("event", "call").add("call", event.call).add("end", to_string(end));
  if (failed) {
    line.add("outcome", to_string(outcome.kind)).add("class", to_string(classify(outcome.kind)));
    line.add("status", outcome.status);
  }
  line.add_route(names_, outcome.route).add("attempts", event.attempts);
  line.add("billed_tokens", event.billed_tokens).add("took", event.ended - event.started);
  logger_->log(level, "{}", line.text());
}

}  // namespace brownout
