#include "tests/support/engine/scripted_transport.hpp"

#include <algorithm>
#include <utility>

#include "engine/core/check.hpp"

namespace brownout::testing {
namespace {

constexpr JobName flight_job{"scripted attempt"};

/// What an answer becomes under limits: how it ends, and how long after its start.
struct Course {
  Duration takes;
  Duration first_output = forever;  // told of then
  Outcome outcome;
};

Course play(const Answer& answer, const Attempt& attempt, Instant now) {
  const bool stream = attempt.request->stream;
  const Duration first = stream ? std::min(answer.first_token, answer.takes) : answer.takes;
  Duration limit = attempt.limits.end - now;
  if (stream && first > attempt.limits.first_token) {
    limit = std::min(limit, attempt.limits.first_token);
  } else if (stream && answer.takes - first > attempt.limits.idle) {
    limit = std::min(limit, after(Instant{} + first, attempt.limits.idle) - Instant{});
  }
  Course course;
  course.takes = std::min(answer.takes, limit);
  course.outcome.kind = answer.takes > limit ? OutcomeKind::timed_out : answer.kind;
  course.outcome.committed =
      stream && answer.first_token <= course.takes && !attempt.limits.hold_output;
  if (course.outcome.committed && attempt.limits.tell_first_output) {
    course.first_output = answer.first_token;
  }
  if (course.outcome.kind == answer.kind) {
    course.outcome.retry_after = answer.retry_after;
    course.outcome.should_retry = answer.should_retry;
    course.outcome.status = answer.status;
    course.outcome.limits = answer.limits;
  }
  course.outcome.billed_input_tokens = answer.billed_tokens;
  return course;
}

}  // namespace

class ScriptedTransport::Flight final : public Timer {
 public:
  Flight(ScriptedTransport& transport, Handle handle, const Attempt& attempt,
         AttemptListener& listener, Course&& course)
      : Timer(flight_job),
        transport_(transport),
        handle_(handle),
        attempt_(attempt),
        listener_(listener),
        end_(after(transport.runtime_.now(), course.takes)),
        outcome_(std::move(course.outcome)) {
    const Instant first = after(transport.runtime_.now(), course.first_output);
    tells_ = first != never && first <= end_;
    arm(tells_ ? first : end_);
  }

  void fire() override {
    if (!std::exchange(tells_, false)) return transport_.end(handle_);
    arm(end_);
    listener_.on_first_output();
  }

  const Attempt& attempt() const { return attempt_; }
  AttemptListener& listener() { return listener_; }
  Outcome& outcome() { return outcome_; }

 private:
  void arm(Instant at) {
    if (at != never) transport_.runtime_.arm(*this, at);
  }

  ScriptedTransport& transport_;
  const Handle handle_;
  const Attempt attempt_;
  AttemptListener& listener_;
  const Instant end_;
  bool tells_ = false;
  Outcome outcome_;
};

ScriptedTransport::ScriptedTransport(Runtime& runtime, std::vector<Event>& events)
    : runtime_(runtime), events_(events) {}

ScriptedTransport::~ScriptedTransport() {
  for (auto& [handle, flight] : flights_) runtime_.disarm(*flight);
}

TargetId ScriptedTransport::resolve(std::string_view target) {
  auto found = std::ranges::find(targets_, target);
  if (found == targets_.end()) found = targets_.insert(found, std::string(target));
  return static_cast<TargetId>(found - targets_.begin());
}

void ScriptedTransport::script(TargetId target, const std::vector<Answer>& answers) {
  scripts_[target].insert(scripts_[target].end(), answers.begin(), answers.end());
}

Answer ScriptedTransport::next_answer(TargetId target) {
  Answer answer = otherwise_;
  if (auto& script = scripts_[target]; !script.empty()) {
    answer = script.front();
    script.pop_front();
  }
  const auto replaced = replaced_.find(started_++);
  return replaced == replaced_.end() ? answer : replaced->second;
}

Transport::Handle ScriptedTransport::start(const Attempt& attempt, AttemptListener& listener) {
  const Instant now = runtime_.now();
  const Handle handle{started_ + 1};
  const Answer answer = next_answer(attempt.target);
  const std::uint32_t number = asked_[attempt.target]++;
  Course course = play(answer, attempt, now);
  if (course.outcome.ok()) {
    course.outcome.reply.text = std::make_shared<const std::string>(
        "reply " + std::to_string(number) + " from " + targets_[attempt.target]);
  }
  auto flight = std::make_unique<Flight>(*this, handle, attempt, listener, std::move(course));
  flights_.emplace(handle, std::move(flight));
  events_.push_back({.what = Event::What::asked,
                     .at = now,
                     .call = attempt.call,
                     .target = attempt.target,
                     .nth = attempt.nth_at_target,
                     .limits = attempt.limits});
  return handle;
}

void ScriptedTransport::end(Handle handle) {
  const auto node = flights_.extract(handle);
  BROWNOUT_CHECK(!node.empty());
  Flight& flight = *node.mapped();
  flight.listener().on_end(std::move(flight.outcome()));
}

Outcome ScriptedTransport::detach(Handle handle) {
  const auto node = flights_.extract(handle);
  BROWNOUT_CHECK(!node.empty());
  Flight& flight = *node.mapped();
  runtime_.disarm(flight);
  events_.push_back({.what = Event::What::detached,
                     .at = runtime_.now(),
                     .call = flight.attempt().call,
                     .target = flight.attempt().target});
  Outcome outcome = Outcome::failure(OutcomeKind::cancelled);
  outcome.billed_input_tokens = flight.outcome().billed_input_tokens;
  return outcome;
}

}  // namespace brownout::testing
