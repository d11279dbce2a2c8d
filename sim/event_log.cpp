#include "sim/event_log.hpp"

#include <fmt/format.h>

namespace brownout::sim {
namespace {

std::int64_t ns(Instant at) {
  return at.time_since_epoch().count();
}

}  // namespace

void EventLog::write(const std::string& line) {
  ok_ &= std::fwrite(line.data(), 1, line.size(), file_) == line.size();
}

// Route and breaker names consist of letters, digits, '.', '-', '_' and '#': nothing to escape.
std::string EventLog::route(RouteId id) const {
  return id == no_route ? "null" : '"' + names_.routes[id] + '"';
}

void EventLog::on_call_start(const CallStartEvent& event) {
  write(fmt::format(R"({{"event":"call_started","at_ns":{},"call":{}}})"
                    "\n",
                    ns(event.at), event.call));
}

void EventLog::on_attempt(const AttemptEvent& event, const Outcome& outcome) {
  write(fmt::format(
      R"({{"event":"attempt","at_ns":{},"call":{},"attempt":{},"copy":{},"route":{},)"
      R"("started_ns":{},"outcome":"{}","status":{},"retry_after_ns":{},"input_tokens":{},)"
      R"("output_tokens":{}}})"
      "\n",
      ns(event.ended), event.call, event.number, event.copy, route(event.route), ns(event.started),
      to_string(outcome.kind), outcome.status,
      outcome.retry_after ? std::to_string(outcome.retry_after->count()) : "null",
      outcome.billed_input_tokens, outcome.billed_output_tokens));
}

void EventLog::on_wait(const WaitEvent& event) {
  const bool caused = event.reason == WaitReason::retry && event.cause != OutcomeKind::success;
  write(fmt::format(R"({{"event":"wait","at_ns":{},"call":{},"copy":{},"route":{},"until_ns":{},)"
                    R"("reason":"{}","cause":{}}})"
                    "\n",
                    ns(event.from), event.call, event.copy, route(event.route), ns(event.until),
                    to_string(event.reason),
                    caused ? fmt::format("\"{}\"", to_string(event.cause)) : "null"));
}

void EventLog::on_hedge(const HedgeEvent& event) {
  write(fmt::format(R"({{"event":"hedge","at_ns":{},"call":{},"route":{},"number":{}}})"
                    "\n",
                    ns(event.at), event.call, route(event.route), event.number));
}

void EventLog::on_lookup(const LookupEvent& event) {
  write(fmt::format(R"({{"event":"lookup","at_ns":{},"call":{},"result":"{}"}})"
                    "\n",
                    ns(event.at), event.call, to_string(event.result)));
}

void EventLog::on_breaker(const BreakerEvent& event) {
  write(fmt::format(R"({{"event":"breaker","at_ns":{},"breaker":"{}","from":"{}","to":"{}"}})"
                    "\n",
                    ns(event.at), names_.breakers[event.breaker], to_string(event.from),
                    to_string(event.to)));
}

void EventLog::on_rejection(const RejectionEvent& event) {
  const bool by_breaker = event.breaker != no_breaker;
  write(fmt::format(R"({{"event":"rejection","at_ns":{},"call":{},"breaker":{},"outcome":"{}"}})"
                    "\n",
                    ns(event.at), event.call,
                    by_breaker ? '"' + names_.breakers[event.breaker] + '"' : "null",
                    to_string(event.kind)));
}

void EventLog::on_call(const CallEvent& event, const Outcome& outcome) {
  write(fmt::format(
      R"({{"event":"call","at_ns":{},"call":{},"started_ns":{},"end":"{}","outcome":"{}",)"
      R"("served":"{}","route":{},"attempts":{},"billed_tokens":{}}})"
      "\n",
      ns(event.ended), event.call, ns(event.started), to_string(end_of(outcome)),
      to_string(outcome.kind), to_string(outcome.served), route(outcome.route), event.attempts,
      event.billed_tokens));
}

void EventLog::on_give_up(const GiveUpEvent& event) {
  write(fmt::format(
      R"({{"event":"given_up","at_ns":{},"call":{},"started_ns":{},"by":"{}","attempts":{},)"
      R"("billed_tokens":{}}})"
      "\n",
      ns(event.at), event.call, ns(event.started), event.by_caller ? "caller" : "shutdown",
      event.attempts, event.billed_tokens));
}

}  // namespace brownout::sim
