#include "tests/conformance/runtime/play.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/pipeline/pipeline.hpp"
#include "engine/policy/breaker.hpp"

namespace brownout::testing {
namespace {

constexpr JobName later_job{"stage direction"};

std::string_view text_of(Served served) {
  switch (served) {
    case Served::nothing:
      return "nothing";
    case Served::live:
      return "a live reply";
    case Served::shared:
      return "a shared reply";
    case Served::cached:
      return "a cached reply";
    case Served::fallback:
      return "the default reply";
    case Served::stale:
      return "a stale reply";
  }
  return "";
}

}  // namespace

class Play::Later final : public Timer {
 public:
  explicit Later(std::function<void()> action) : Timer(later_job), action_(std::move(action)) {}
  void fire() override { action_(); }

 private:
  std::function<void()> action_;
};

Play::Play(Runtime& runtime, const Policy& policy)
    : runtime_(runtime), transport_(runtime, unused_) {
  Observer& observer = *this;
  engine_ = std::make_unique<Engine>(runtime, transport_, store_, observer, build(policy));
}

Play::~Play() {
  engine_.reset();
  for (const auto& [when, timer] : later_) runtime_.disarm(*timer);
}

std::shared_ptr<Pipeline> Play::build(const Policy& policy) {
  std::vector<std::string> targets;
  std::vector<TargetId> ids;
  for (const RouteSpec* route : policy.routes()) {
    targets.push_back(route->to);
    ids.push_back(transport_.resolve(route->to));
  }
  auto pipeline = std::make_shared<Pipeline>(policy, targets, ids, runtime_.seed());
  for (const auto& info : pipeline->breakers()) breakers_.push_back(info.name);
  return pipeline;
}

std::string Play::model(TargetId target) const {
  const std::string& name = transport_.targets()[target];
  return name.substr(name.find('/') + 1);
}

void Play::script(std::string_view model, const std::vector<Answer>& answers) {
  for (TargetId id = 0; id < transport_.targets().size(); ++id) {
    if (this->model(id) == model) return transport_.script(id, answers);
  }
  FAIL() << model;
}

void Play::call(Duration when, const CallPlan& plan) {
  later(when, [this, plan] {
    Request& request = requests_[plan.id];
    request.key = {plan.prompt, plan.prompt};
    request.stream = plan.stream;
    const Instant deadline =
        plan.deadline == never ? never : began_ + plan.deadline.time_since_epoch();
    note(plan.id, "begins");
    calls_[plan.id] = &engine_->start(plan.id, request, deadline, *this);
  });
}

void Play::cancel(Duration when, CallId id) {
  later(when, [this, id] {
    note(id, "is cancelled");
    engine_->cancel(*calls_.at(id));
  });
}

void Play::reload(Duration when, const Policy& policy) {
  later(when, [this, next = build(policy)] { engine_->reload(next); });
}

void Play::later(Duration when, std::function<void()> action) {
  later_.emplace_back(when, std::make_unique<Later>(std::move(action)));
}

void Play::begin() {
  began_ = runtime_.now();
  for (const auto& [when, timer] : later_) runtime_.arm(*timer, began_ + when);
}

bool Play::is_quiet() const {
  return engine_->unfinished() == 0 && transport_.in_flight() == 0 &&
         std::ranges::all_of(engine_->pipeline().breakers(), [](const auto& info) {
           return info.breaker->probes_in_flight() == 0;
         });
}

void Play::note(CallId call, std::string_view text) {
  note(fmt::format("call {} {}", call, text));
}

void Play::on_call_end(CallId call, Outcome&& outcome) {
  note(call, outcome.ok() ? fmt::format("ends with {}", text_of(outcome.served))
                          : fmt::format("ends: {}", to_string(outcome.kind)));
}

void Play::on_attempt(const AttemptEvent& attempt, const Outcome& outcome) {
  note(attempt.call,
       fmt::format("had asked {}: {}", model(attempt.target), to_string(outcome.kind)));
}

// How long a wait for quota is depends on when it began.
void Play::on_wait(const WaitEvent& wait) {
  const std::string how_long = format_duration(wait.until - wait.from);
  note(wait.call, wait.reason == WaitReason::retry
                      ? "waits " + how_long
                      : fmt::format("waits for {}", to_string(wait.reason)));
}

void Play::on_hedge(const HedgeEvent& hedge) {
  note(hedge.call, "hedges");
}

void Play::on_lookup(const LookupEvent& lookup) {
  note(lookup.call, fmt::format("looks for a reply: {}", to_string(lookup.result)));
}

void Play::on_breaker(const BreakerEvent& change) {
  note(fmt::format("breaker {} is {}", breakers_[change.breaker], to_string(change.to)));
}

void Play::on_rejection(const RejectionEvent& rejection) {
  note(rejection.call, fmt::format("is refused: {}", to_string(rejection.kind)));
}

Play::Line line_of(std::string_view text) {
  const std::size_t space = text.find(' ');
  const auto at = parse_duration(text.substr(0, space));
  EXPECT_TRUE(at) << text;
  return {at.value_or(Duration{0}), std::string(text.substr(space + 1))};
}

}  // namespace brownout::testing
