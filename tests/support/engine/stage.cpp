#include "tests/support/engine/stage.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/core/check.hpp"
#include "engine/pipeline/layers/bulkhead_layer.hpp"
#include "engine/pipeline/layers/rate_limit_layer.hpp"
#include "engine/pipeline/pipeline.hpp"

namespace brownout::testing {
namespace {

constexpr JobName lookup_job{"slow lookup"};
constexpr JobName later_job{"stage direction"};

std::string model_of(std::string_view target) {
  return std::string(target.substr(target.find('/') + 1));
}

bool is_in_short_log(const Event& event) {
  return event.what != Event::What::observed && event.what != Event::What::detached &&
         event.what != Event::What::looked;
}

}  // namespace

class SlowStore::Pending final : public Timer {
 public:
  Pending(SlowStore& store, const CacheKey& key, ReplyLookup& lookup)
      : Timer(lookup_job), store_(store), key_(key), lookup_(lookup) {}

  void fire() override {
    SlowStore& store = store_;
    ReplyLookup& lookup = lookup_;
    const CacheKey key = key_;
    store.lookups_.erase(&lookup);
    store.replies_.get(key, lookup);
  }

 private:
  SlowStore& store_;
  const CacheKey key_;
  ReplyLookup& lookup_;
};

SlowStore::SlowStore(Runtime& runtime) : runtime_(runtime) {}

SlowStore::~SlowStore() {
  for (auto& [lookup, pending] : lookups_) runtime_.disarm(*pending);
}

void SlowStore::get(const CacheKey& key, ReplyLookup& lookup) {
  if (delay_ == Duration{0}) return replies_.get(key, lookup);
  auto pending = std::make_unique<Pending>(*this, key, lookup);
  runtime_.arm(*pending, after(runtime_.now(), delay_));
  const bool is_new = lookups_.emplace(&lookup, std::move(pending)).second;
  BROWNOUT_CHECK(is_new);
}

void SlowStore::cancel(ReplyLookup& lookup) {
  const auto found = lookups_.find(&lookup);
  BROWNOUT_CHECK(found != lookups_.end());
  runtime_.disarm(*found->second);
  lookups_.erase(found);
}

Policy policy_of(std::string_view pipeline, std::string_view rest) {
  auto policy = parse_policy(
      "test.json",
      fmt::format(R"({{"kind": "policy", "version": 1, "name": "test", "pipeline": {}{}{}}})",
                  pipeline, rest.empty() ? "" : ", ", rest));
  if (policy) return std::move(*policy);
  for (const Error& error : policy.error()) ADD_FAILURE() << error.to_string();
  return {};
}

class Stage::Later final : public Timer {
 public:
  explicit Later(std::function<void()> action) : Timer(later_job), action_(std::move(action)) {}
  void fire() override { action_(); }

 private:
  std::function<void()> action_;
};

Stage::Stage(Policy policy, std::uint64_t seed)
    : context_({.seed = seed}),
      transport_(context_, events_),
      store_(context_),
      policy_(std::move(policy)) {
  Observer& observer = *this;
  engine_ = std::make_unique<Engine>(context_, transport_, store_, observer, build(nullptr));
}

std::shared_ptr<Pipeline> Stage::build(const Pipeline* previous) {
  std::vector<std::string> targets;
  std::vector<TargetId> target_ids;
  for (const RouteSpec* route : policy_.routes()) {
    targets.push_back(route->to.empty() ? "role/" + route->role : route->to);
    target_ids.push_back(transport_.resolve(targets.back()));
  }
  names_ = {};
  for (const std::string& target : transport_.targets()) {
    names_.targets.push_back(model_of(target));
  }
  auto pipeline =
      std::make_shared<Pipeline>(policy_, targets, target_ids, context_.seed(), previous);
  for (const auto& info : pipeline->breakers()) names_.breakers.push_back(info.name);
  return pipeline;
}

void Stage::reload(Policy policy) {
  policy_ = std::move(policy);
  engine_->reload(build(&engine_->pipeline()));
}

Stage::~Stage() {
  engine_.reset();
  for (const auto& timer : later_) context_.disarm(*timer);
}

void Stage::script(std::string_view model, const std::vector<Answer>& answers) {
  const auto found = std::ranges::find(names_.targets, model);
  ASSERT_NE(found, names_.targets.end()) << model;
  transport_.script(static_cast<TargetId>(found - names_.targets.begin()), answers);
}

void Stage::call(const CallPlan& plan) {
  Request& request = requests_[plan.id];
  request.key = {plan.prompt, plan.prompt};
  request.stream = plan.stream;
  request.input_tokens = plan.input_tokens;
  request.max_tokens = plan.max_tokens;
  request.tokens_estimated = plan.tokens_estimated;
  request.priority = plan.priority;
  starting_ = true;
  calls_[plan.id] = &engine_->start(plan.id, request, plan.deadline, *this);
  starting_ = false;
}

void Stage::call_at(Duration when, const CallPlan& plan) {
  later(when, [this, plan] { call(plan); });
}

void Stage::cancel(CallId id) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return;
  Call* const call = found->second;
  calls_.erase(found);
  engine_->cancel(*call);
}

void Stage::later(Duration when, std::function<void()> action) {
  later_.push_back(std::make_unique<Later>(std::move(action)));
  context_.arm(*later_.back(), at(when));
}

void Stage::run() {
  ASSERT_EQ(context_.run_until_idle(), sim::Stop::idle);
}

void Stage::run_until(Duration when) {
  const sim::Stop stop = context_.run_until(at(when));
  ASSERT_TRUE(stop == sim::Stop::idle || stop == sim::Stop::reached);
}

std::vector<std::string> Stage::lines(const std::function<bool(const Event&)>& wanted) const {
  std::vector<std::string> lines;
  for (const Event& event : events_) {
    if (wanted(event)) lines.push_back(to_string(event, names_));
  }
  return lines;
}

std::vector<std::string> Stage::log() const {
  return lines(is_in_short_log);
}

std::vector<std::string> Stage::full_log() const {
  return lines([](const Event&) { return true; });
}

std::vector<std::string> Stage::log_of(CallId id) const {
  return lines([id](const Event& event) {
    return event.call == id && is_in_short_log(event) && event.what != Event::What::moved;
  });
}

std::size_t Stage::ends(CallId id) const {
  return static_cast<std::size_t>(std::ranges::count_if(events_, [id](const Event& event) {
    return event.what == Event::What::ended && event.call == id;
  }));
}

const Breaker& Stage::breaker(std::string_view name) const {
  for (const auto& info : engine_->pipeline().breakers()) {
    if (info.name == name) return *info.breaker;
  }
  BROWNOUT_UNREACHABLE("no breaker has this name");
}

void Stage::each_layer(const std::function<void(const Layer&)>& look) const {
  std::vector<const Pipeline::Node*> rest{&engine_->pipeline().root()};
  while (!rest.empty()) {
    const Pipeline::Node* node = rest.back();
    rest.pop_back();
    if (node->layer) look(*node->layer);
    for (auto child = node->children.rbegin(); child != node->children.rend(); ++child) {
      rest.push_back(child->get());
    }
  }
}

bool Stage::is_quiet() {
  bool all_given_back = true;
  each_layer([&](const Layer& layer) {
    if (const auto* bulkhead = dynamic_cast<const BulkheadLayer*>(&layer)) {
      all_given_back &= bulkhead->bulkhead().holders() == 0 && bulkhead->bulkhead().queued() == 0;
    }
    if (const auto* limit = dynamic_cast<const RateLimitLayer*>(&layer)) {
      all_given_back &= limit->limiter() == nullptr || limit->limiter()->waiting() == 0;
    }
  });
  if (!all_given_back) return false;
  for (const auto& info : engine_->pipeline().breakers()) {
    if (info.breaker->probes_in_flight() != 0) return false;
  }
  return engine_->unfinished() == 0 && transport_.in_flight() == 0 && store_.waiting() == 0 &&
         context_.run_until(context_.now()) == sim::Stop::idle;
}

void Stage::on_call_end(CallId call, Outcome&& outcome) {
  EXPECT_FALSE(starting_) << "call " << call << " ended inside Engine::start()";
  calls_.erase(call);
  events_.push_back({.what = Event::What::ended, .at = now(), .call = call, .outcome = outcome});
  outcomes_[call] = std::move(outcome);
  if (on_end) on_end(call);
}

void Stage::on_call_start(const CallStartEvent& call) {
  EXPECT_EQ(call.at, now());
  if (watcher != nullptr) watcher->on_call_start(call);
}

void Stage::on_attempt_start(const AttemptStartEvent& attempt) {
  EXPECT_EQ(attempt.at, now());
  if (watcher != nullptr) watcher->on_attempt_start(attempt);
}

void Stage::on_attempt(const AttemptEvent& attempt, const Outcome& outcome) {
  EXPECT_EQ(attempt.ended, now());
  events_.push_back({.what = Event::What::answered,
                     .at = now(),
                     .call = attempt.call,
                     .target = attempt.target,
                     .route = attempt.route,
                     .nth = attempt.number,
                     .since = attempt.started,
                     .outcome = outcome});
  if (watcher != nullptr) watcher->on_attempt(attempt, outcome);
}

void Stage::on_wait(const WaitEvent& wait) {
  EXPECT_EQ(wait.from, now());
  events_.push_back({.what = Event::What::waited,
                     .at = now(),
                     .call = wait.call,
                     .route = wait.route,
                     .until = wait.until,
                     .reason = wait.reason});
  if (watcher != nullptr) watcher->on_wait(wait);
}

void Stage::on_lookup(const LookupEvent& lookup) {
  EXPECT_EQ(lookup.at, now());
  events_.push_back(
      {.what = Event::What::looked, .at = now(), .call = lookup.call, .lookup = lookup.result});
  if (watcher != nullptr) watcher->on_lookup(lookup);
}

void Stage::on_breaker_failure(const BreakerFailureEvent& failure) {
  if (watcher != nullptr) watcher->on_breaker_failure(failure);
}

void Stage::on_hedge(const HedgeEvent& hedge) {
  EXPECT_EQ(hedge.at, now());
  events_.push_back(
      {.what = Event::What::hedged, .at = now(), .call = hedge.call, .route = hedge.route});
  if (watcher != nullptr) watcher->on_hedge(hedge);
}

void Stage::on_breaker(const BreakerEvent& change) {
  EXPECT_EQ(change.at, now());
  events_.push_back({.what = Event::What::moved,
                     .at = now(),
                     .breaker = change.breaker,
                     .from = change.from,
                     .to = change.to});
  if (watcher != nullptr) watcher->on_breaker(change);
}

void Stage::on_rejection(const RejectionEvent& rejection) {
  EXPECT_EQ(rejection.at, now());
  events_.push_back({.what = Event::What::rejected,
                     .at = now(),
                     .call = rejection.call,
                     .breaker = rejection.breaker,
                     .outcome = Outcome::failure(rejection.kind)});
  if (watcher != nullptr) watcher->on_rejection(rejection);
}

void Stage::on_call(const CallEvent& call, const Outcome& outcome) {
  EXPECT_EQ(call.ended, now());
  events_.push_back({.what = Event::What::observed,
                     .at = now(),
                     .call = call.call,
                     .attempts = call.attempts,
                     .billed = call.billed_tokens,
                     .was_rejected = call.rejected,
                     .since = call.started,
                     .outcome = outcome});
  if (watcher != nullptr) watcher->on_call(call, outcome);
}

void Stage::on_give_up(const GiveUpEvent& call) {
  EXPECT_EQ(call.at, now());
  if (watcher != nullptr) watcher->on_give_up(call);
}

}  // namespace brownout::testing
