#include "reports/trace/call_record.hpp"

namespace brownout::reports {

Instant instant_of(const CallRecord::Note& note) {
  if (const auto* wait = std::get_if<WaitEvent>(&note)) return wait->from;
  if (const auto* hedge = std::get_if<HedgeEvent>(&note)) return hedge->at;
  if (const auto* lookup = std::get_if<LookupEvent>(&note)) return lookup->at;
  return std::get<RejectionEvent>(note).at;
}

void CallRecorder::on_call_start(const CallStartEvent& event) {
  if (event.at >= window_.until) return;
  CallRecord& record = in_flight_[event.call];
  record.call = event.call;
  record.started = event.at;
}

void CallRecorder::on_attempt(const AttemptEvent& event, const Outcome& outcome) {
  CallRecord* record = find(event.call);
  if (record == nullptr) return;
  record->attempts.push_back({event, outcome.kind, outcome.status, outcome.retry_after,
                              outcome.billed_input_tokens, outcome.billed_output_tokens});
}

void CallRecorder::on_call(const CallEvent& event, const Outcome& outcome) {
  CallRecord* record = find(event.call);
  if (record == nullptr) return;
  record->ended = event.ended;
  record->end = end_of(outcome);
  record->kind = outcome.kind;
  record->served = outcome.served;
  record->route = outcome.route;
  record->attempts_made = event.attempts;
  record->billed_tokens = event.billed_tokens;
  record->rejected = event.rejected;
  hand_out(event.call);
}

void CallRecorder::on_give_up(const GiveUpEvent& event) {
  CallRecord* record = find(event.call);
  if (record == nullptr) return;
  record->ended = event.at;
  record->given_up = true;
  record->by_caller = event.by_caller;
  record->attempts_made = event.attempts;
  record->billed_tokens = event.billed_tokens;
  hand_out(event.call);
}

CallRecord* CallRecorder::find(CallId call) {
  const auto found = in_flight_.find(call);
  return found == in_flight_.end() ? nullptr : &found->second;
}

void CallRecorder::note(CallId call, const CallRecord::Note& note) {
  CallRecord* record = find(call);
  if (record != nullptr) record->notes.push_back(note);
}

void CallRecorder::hand_out(CallId call) {
  const auto node = in_flight_.extract(call);
  const CallRecord& record = node.mapped();
  if (window_.touches(record.started, record.ended)) on_record(record);
}

}  // namespace brownout::reports
