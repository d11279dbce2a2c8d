#include "mockserver/scripted_provider.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <type_traits>

#include "engine/core/check.hpp"

namespace brownout::mock {
namespace {

static_assert(std::is_trivially_copyable_v<Plan>);

// Slower than this is never: the same bound as for drawn values.
constexpr double longest = static_cast<double>(Distribution::max_value);

Duration multiplied(Duration time, double by) {
  if (by == 1) return time;
  return Duration{std::llround(std::min(static_cast<double>(time.count()) * by, longest))};
}

Duration added(Duration a, Duration b) {
  return std::min(a + b, Duration{Distribution::max_value});
}

std::optional<Bucket> make_bucket(const std::optional<std::int64_t>& limit) {
  if (!limit) return std::nullopt;
  return Bucket(*limit);
}

// Rounded up, so that whoever waits that long is let in.
Duration rounded_up(Duration time, Duration grain) {
  if (time > forever - grain) return time;
  return (time + grain - Duration{1}) / grain * grain;
}

// Absent parts do not count.
RateLimit sum(const RateLimit& a, const RateLimit& b) {
  if (a.limit < 0) return b;
  if (b.limit < 0) return a;
  return {.limit = a.limit + b.limit,
          .remaining = a.remaining + b.remaining,
          .reset_ns = std::max(a.reset_ns, b.reset_ns)};
}

// What an answer's headers say about coming back, in the unit that the provider has for it.
void give_hints(Plan& plan, const FaultAction& action, const Accounting& accounting) {
  if (plan.status < 400) return;
  if (action.retry_after) {
    plan.retry_after = rounded_up(*action.retry_after, accounting.retry_after_grain);
  }
  plan.should_retry = action.should_retry;
}

// Neither headers nor a body: the connection is refused, breaks or hangs.
Plan unanswered(const ProviderRequest& request, WireWord word, const WirePoint& point) {
  Plan plan{.model = request.model, .stream = request.stream};
  plan.status = 0;
  plan.kind = OutcomeKind::connection;
  plan.wire = {.word = word, .point = point};
  if (word != WireWord::hang) return plan;
  plan.kind = OutcomeKind::timed_out;
  plan.hang = true;
  plan.first_byte = plan.complete = forever;
  return plan;
}

Plan unanswered(const ProviderRequest& request, WireWord word) {
  return unanswered(request, word, *wire_rule(word).standard);
}

}  // namespace

// Building

ScriptedProvider::ScriptedProvider(const Script& script, std::uint64_t seed) : script_(&script) {
  BROWNOUT_CHECK(!script.models.empty() && !script.phases.empty());
  models_.reserve(script.models.size());
  for (const ModelSpec& spec : script.models) {
    Model& model = models_.emplace_back();
    model.spec = &spec;
    model.accounting = &accounting(spec.dialect);
    model.requests = make_bucket(spec.limits.rpm);
    model.tokens =
        make_bucket(model.accounting->reserves_max_tokens ? spec.limits.tpm : spec.limits.itpm);
    model.output = make_bucket(spec.limits.otpm);
    model.fault = DrawFamily(seed, Purpose::fault, spec.full_name);
    model.ttft = DrawFamily(seed, Purpose::ttft, spec.full_name);
    model.inter_token = DrawFamily(seed, Purpose::inter_token, spec.full_name);
    model.cut_point = DrawFamily(seed, Purpose::cut_point, spec.full_name);
  }
  counts_.resize(script.fault_count());
  compile_rules();
  for (Model& model : models_) {
    for (std::size_t i = 0; i < model.fault_latency.size(); ++i) {
      const std::string suffix = i == 0 ? "" : "#" + std::to_string(i);
      model.fault_latency[i] =
          DrawFamily(seed, Purpose::fault_latency, model.spec->full_name + suffix);
    }
  }
}

void ScriptedProvider::compile_rules() {
  for (const PhaseSpec& phase : script_->phases) {
    for (std::size_t model = 0; model < models_.size(); ++model) {
      Rules rules{.begin = static_cast<std::uint32_t>(rules_.size())};
      std::size_t latencies = 0;
      for (std::size_t i = 0; i < phase.faults.size(); ++i) {
        const FaultSpec& fault = phase.faults[i];
        if (!fault.affects(static_cast<ModelId>(model))) continue;
        rules_.push_back({&fault, static_cast<FaultId>(phase.first_fault + i)});
        if (fault.effect == FaultEffect::latency) {
          ++latencies;
        } else {
          (fault.after_limits ? rules.after_limits : rules.before_limits) = true;
        }
      }
      rules.end = static_cast<std::uint32_t>(rules_.size());
      rules.latency = latencies > 0;
      rules_of_.push_back(rules);
      auto& families = models_[model].fault_latency;
      families.resize(std::max(families.size(), latencies));
    }
  }
}

// Arriving

Arrival ScriptedProvider::arrive(const ProviderRequest& request, Instant now) {
  enter_phase(now - Instant{});
  const Duration at = now - Instant{} - script_->phases[phase_].begin;
  const Rules& rules = rules_of_[phase_ * models_.size() + request.model];
  Model& model = models_[request.model];

  std::int64_t draw = 0;
  if (rules.before_limits || rules.after_limits) {
    Draws draws = model.fault.at(request.call, request.nth);
    draw = static_cast<std::int64_t>(draws.below(billion));
  }
  Claim fault;
  if (rules.before_limits) fault = claim(rules, false, draw, at);
  if (fault.replaces_reply()) return {.plan = plan_claimed(fault, rules, request, at)};

  const LimitHit hit = charge(model, request, now);
  if (hit.limit != LimitKind::none) {
    return {.plan = told(model, plan_refused(hit, rules, request, at), now)};
  }
  if (rules.after_limits) {
    const Claim later = claim(rules, true, draw, at);
    if (fault.action == nullptr) fault = later;
  }
  return admit(fault, rules, request, now, at);
}

// Past the limits: a fault, a slot, a place in the queue, or none of them.
Arrival ScriptedProvider::admit(const Claim& fault, const Rules& rules,
                                const ProviderRequest& request, Instant now, Duration at) {
  Model& model = models_[request.model];
  if (fault.replaces_reply()) {
    return {.plan = told(model, plan_claimed(fault, rules, request, at), now)};
  }
  const auto& slots = model.spec->limits.concurrent;
  if (!slots || model.running < static_cast<std::size_t>(*slots)) {
    ++model.running;
    return {.plan = told(model, plan_reply(fault, rules, request, at), now)};
  }
  if (!may_wait(model)) {
    give_back(model, request, now);
    const LimitHit hit{.limit = LimitKind::concurrency};
    return {.plan = told(model, plan_refused(hit, rules, request, at), now)};
  }
  const Plan plan = told(model, plan_reply(fault, rules, request, at), now);
  return {.queued = true, .ticket = {.model = request.model, .number = model.queue.push(plan)}};
}

// Where input and output are limited apart, the headers of tokens add the two up: Anthropic's
// documentation of anthropic-ratelimit-tokens-remaining.
Plan ScriptedProvider::told(const Model& model, Plan plan, Instant now) {
  const auto state = [now](const std::optional<Bucket>& bucket) {
    if (!bucket) return RateLimit{};
    return RateLimit{.limit = bucket->limit(),
                     .remaining = bucket->remaining(now),
                     .reset_ns = bucket->reset_after(now).count()};
  };
  plan.told.requests = state(model.requests);
  const RateLimit tokens = state(model.tokens);
  const RateLimit output = state(model.output);
  plan.told.tokens = sum(tokens, output);
  if (model.accounting->reserves_max_tokens) return plan;
  plan.told_input = tokens;
  plan.told_output = output;
  return plan;
}

void ScriptedProvider::enter_phase(Duration at) {
  const auto& phases = script_->phases;
  while (at >= phases[phase_].until && phase_ + 1 < phases.size()) ++phase_;
}

ScriptedProvider::Claim ScriptedProvider::claim(const Rules& rules, bool after_limits,
                                                std::int64_t draw, Duration at) {
  const PhaseSpec& phase = script_->phases[phase_];
  Claim result;
  std::int64_t low = 0;  // where the next share's part of the draw's range begins
  for (std::uint32_t i = rules.begin; i < rules.end; ++i) {
    const auto& [spec, fault] = rules_[i];
    if (spec->effect == FaultEffect::latency) continue;
    FaultCount& count = counts_[fault];
    const auto nth = static_cast<std::int64_t>(count.matched);
    const FaultAction* action = spec;
    std::int64_t share = 0;
    bool wanted = false;
    switch (spec->trigger) {
      case FaultTrigger::share:
        share = spec->share.at(at, phase.until - phase.begin);
        wanted = low <= draw && draw < low + share;
        low += share;
        break;
      case FaultTrigger::first:
        wanted = nth < spec->first;
        share = wanted ? billion : 0;
        break;
      case FaultTrigger::sequence:
        action = spec->entry(nth);
        wanted = action != nullptr && !action->is_none();
        share = wanted ? billion : 0;
        break;
    }
    if (spec->after_limits != after_limits) continue;
    ++count.matched;
    count.asked_billionths += share;
    if (wanted && result.action == nullptr) result = {.action = action, .fault = fault};
  }
  return result;
}

ScriptedProvider::Slowdown ScriptedProvider::slowdown(const Rules& rules,
                                                      const ProviderRequest& request, Duration at) {
  Slowdown result;
  if (!rules.latency) return result;
  const PhaseSpec& phase = script_->phases[phase_];
  std::size_t ordinal = 0;
  for (std::uint32_t i = rules.begin; i < rules.end; ++i) {
    const auto& [spec, fault] = rules_[i];
    if (spec->effect != FaultEffect::latency) continue;
    const DrawFamily& family = models_[request.model].fault_latency[ordinal++];
    Draws draws = family.at(request.call, request.nth);
    FaultCount& count = counts_[fault];
    std::int64_t share = 0;
    if (spec->trigger == FaultTrigger::share) {
      share = spec->share.at(at, phase.until - phase.begin);
    } else if (static_cast<std::int64_t>(count.matched) < spec->first) {
      share = billion;
    }
    ++count.matched;
    count.asked_billionths += share;
    if (static_cast<std::int64_t>(draws.below(billion)) >= share) continue;
    ++count.injected;
    result.multiply *= spec->multiply;
    result.add = added(result.add, Duration{spec->add.draw(draws)});
  }
  return result;
}

namespace {

std::int64_t reservation(const Accounting& accounting, const ProviderRequest& request) {
  if (!accounting.reserves_max_tokens) return request.input_tokens;
  return std::max(request.input_tokens, request.max_tokens);
}

}  // namespace

LimitHit ScriptedProvider::charge(Model& model, const ProviderRequest& request, Instant now) {
  const bool combined = model.accounting->reserves_max_tokens;
  const std::int64_t tokens = reservation(*model.accounting, request);
  LimitHit hit;
  const auto refused = [&](const std::optional<Bucket>& bucket, std::int64_t amount,
                           LimitKind limit) {
    if (!bucket) return false;
    const auto refusal = bucket->check(amount, now);
    if (refusal) hit = {.limit = limit, .refusal = *refusal};
    return refusal.has_value();
  };
  if (refused(model.requests, 1, LimitKind::requests)) return hit;
  const LimitKind kind = combined ? LimitKind::tokens : LimitKind::input_tokens;
  if (refused(model.tokens, tokens, kind) || refused(model.output, 1, LimitKind::output_tokens)) {
    if (model.requests && model.accounting->refused_requests_count) model.requests->settle(1, now);
    return hit;
  }
  if (model.requests) model.requests->settle(1, now);
  if (model.tokens) model.tokens->settle(tokens, now);
  return hit;
}

void ScriptedProvider::give_back(Model& model, const ProviderRequest& request, Instant now) {
  if (model.tokens) model.tokens->settle(-reservation(*model.accounting, request), now);
  if (model.requests && !model.accounting->refused_requests_count) model.requests->settle(-1, now);
}

bool ScriptedProvider::may_wait(const Model& model) {
  const ModelLimits& limits = model.spec->limits;
  if (limits.when_full == WhenFull::refuse) return false;
  return !limits.queue || model.queue.waiting() < static_cast<std::size_t>(*limits.queue);
}

// Planning

Plan ScriptedProvider::plan_claimed(const Claim& claim, const Rules& rules,
                                    const ProviderRequest& request, Duration at) {
  const FaultAction& action = *claim.action;
  ++counts_[claim.fault].injected;
  Plan plan{.model = request.model, .stream = request.stream};
  switch (action.effect) {
    case FaultEffect::outage:
      plan = unanswered(request, WireWord::refuse);
      break;
    case FaultEffect::unreachable:
      plan = unanswered(request, WireWord::hang, {.place = WirePoint::Place::before_accept});
      plan.connects = false;
      break;
    case FaultEffect::hang:
      plan = unanswered(request, WireWord::hang);
      break;
    case FaultEffect::wire:
      plan = plan_wire(action, rules, request, at);
      break;
    case FaultEffect::error:
    case FaultEffect::latency:
      plan = plan_answer(action.kind, rules, request, at);
      if (action.status != 0) plan.status = action.status;
      give_hints(plan, action, *models_[request.model].accounting);
      break;
  }
  plan.fault = claim.fault;
  return plan;
}

// A fault on the wire that stands in the place of a reply.
Plan ScriptedProvider::plan_wire(const FaultAction& action, const Rules& rules,
                                 const ProviderRequest& request, Duration at) {
  const WirePoint point = action.wire_point();
  const bool page = action.wire == WireWord::html || action.wire == WireWord::empty_body;
  if (!page && action.wire != WireWord::garbage) return unanswered(request, action.wire, point);
  Plan plan = plan_answer(OutcomeKind::malformed_reply, rules, request, at);
  if (!page) plan.status = 0;
  plan.wire = {.word = action.wire, .point = point};
  return plan;
}

Plan ScriptedProvider::plan_refused(const LimitHit& hit, const Rules& rules,
                                    const ProviderRequest& request, Duration at) {
  const Model& model = models_[request.model];
  const bool bucket = hit.limit != LimitKind::concurrency;
  const OutcomeKind kind = !bucket                   ? OutcomeKind::overloaded
                           : hit.refusal.too_large() ? OutcomeKind::request_too_large
                                                     : OutcomeKind::rate_limited;
  Plan plan = plan_answer(kind, rules, request, at);
  const ErrorShape shape = error_shape(model.spec->dialect, kind, hit.limit);
  plan.status = shape.status;
  plan.hit = hit;
  if (bucket && shape.sends_wait && !hit.refusal.too_large()) {
    plan.retry_after = rounded_up(hit.refusal.wait, model.accounting->retry_after_grain);
  }
  return plan;
}

Plan ScriptedProvider::plan_answer(OutcomeKind kind, const Rules& rules,
                                   const ProviderRequest& request, Duration at) {
  const Model& model = models_[request.model];
  const Slowdown slow = slowdown(rules, request, at);
  Draws draws = model.ttft.at(request.call, request.nth);
  const Duration latency{model.spec->error_latency.draw(draws)};
  Plan plan{.kind = kind, .model = request.model, .stream = request.stream};
  plan.status = error_shape(model.spec->dialect, kind).status;
  plan.first_byte = plan.complete = added(multiplied(latency, slow.multiply), slow.add);
  return plan;
}

Plan ScriptedProvider::plan_reply(const Claim& claim, const Rules& rules,
                                  const ProviderRequest& request, Duration at) {
  const Model& model = models_[request.model];
  const Slowdown slow = slowdown(rules, request, at);
  Draws ttft_draws = model.ttft.at(request.call, request.nth);
  const Duration ttft{model.spec->ttft.draw(ttft_draws)};
  Plan plan{.model = request.model, .stream = request.stream};
  plan.holds_slot = true;
  plan.generates = true;
  plan.billed_input_tokens = request.input_tokens;
  plan.output_tokens = request.max_tokens == 0
                           ? request.output_tokens
                           : std::min(request.output_tokens, request.max_tokens);
  plan.delivered_tokens = plan.output_tokens;
  plan.first_token = plan.last_token = added(multiplied(ttft, slow.multiply), slow.add);
  if (plan.output_tokens > 1) {
    Draws draws = model.inter_token.at(request.call, request.nth);
    const Duration gaps{model.spec->inter_token.draw_sum(draws, plan.output_tokens - 1)};
    plan.last_token = added(plan.first_token, multiplied(gaps, slow.multiply));
  }
  plan.complete = plan.last_token;
  plan.first_byte = plan.stream ? plan.first_token : plan.complete;
  if (claim.action != nullptr) break_off(plan, claim, request);
  return plan;
}

void ScriptedProvider::break_off(Plan& plan, const Claim& claim, const ProviderRequest& request) {
  const FaultAction& action = *claim.action;
  const Model& model = models_[request.model];
  const WirePoint point = break_point(plan, action, request);
  const bool hit = action.effect == FaultEffect::wire
                       ? happen(action.wire, point, model.spec->dialect, plan)
                       : end_at(point, plan);
  if (!hit) return;
  ++counts_[claim.fault].injected;
  plan.fault = claim.fault;
  if (action.effect == FaultEffect::wire) return;
  plan.kind = action.kind;
  plan.wire.point = point;
  if (plan.stream && has_begun(point, plan)) return;
  // Nothing has been sent yet: the failure takes its plain form. A body cut short is a connection
  // that closed before its answer was complete.
  plan.first_byte = plan.complete;
  if (plan.kind == OutcomeKind::stream_truncated) plan.kind = OutcomeKind::connection;
  plan.status = error_shape(model.spec->dialect, plan.kind).status;
  if (action.status != 0) plan.status = action.status;
  give_hints(plan, action, *model.accounting);
}

WirePoint ScriptedProvider::break_point(const Plan& plan, const FaultAction& action,
                                        const ProviderRequest& request) const {
  if (action.effect == FaultEffect::wire && !action.mid_stream) return action.wire_point();
  if (action.at) return *action.at;
  std::int64_t share = 0;
  if (action.after_share) {
    share = *action.after_share;
  } else {
    Draws draws = models_[request.model].cut_point.at(request.call, request.nth);
    share = static_cast<std::int64_t>(draws.below(billion));
  }
  return {.place = WirePoint::Place::frames, .amount = plan.output_tokens * share / billion};
}

// Ending

std::optional<Start> ScriptedProvider::finish(const Plan& plan, Instant now) {
  return release(plan, plan.delivered_tokens, now);
}

std::optional<Start> ScriptedProvider::abandon(const Plan& plan, Duration elapsed, Instant now) {
  return release(plan, tokens_generated(plan, elapsed), now);
}

void ScriptedProvider::abandon(const Ticket& ticket) {
  models_[ticket.model].queue.erase(ticket.number);
}

std::optional<Start> ScriptedProvider::release(const Plan& plan, std::uint32_t generated,
                                               Instant now) {
  Model& model = models_[plan.model];
  if (model.output && generated > 0) model.output->settle(generated, now);
  if (!plan.holds_slot) return std::nullopt;
  BROWNOUT_CHECK(model.running > 0);
  if (model.queue.waiting() == 0) {
    --model.running;
    return std::nullopt;
  }
  const auto [number, next] = model.queue.pop();
  return Start{.ticket = {.model = plan.model, .number = number}, .plan = next};
}

const Bucket* ScriptedProvider::bucket(ModelId id, LimitKind limit) const {
  const Model& model = models_[id];
  const auto pointer = [](const std::optional<Bucket>& bucket) {
    return bucket ? &*bucket : nullptr;
  };
  const bool combined = model.accounting->reserves_max_tokens;
  switch (limit) {
    case LimitKind::requests:
      return pointer(model.requests);
    case LimitKind::tokens:
      return combined ? pointer(model.tokens) : nullptr;
    case LimitKind::input_tokens:
      return combined ? nullptr : pointer(model.tokens);
    case LimitKind::output_tokens:
      return pointer(model.output);
    case LimitKind::none:
    case LimitKind::concurrency:
      return nullptr;
  }
  return nullptr;
}

}  // namespace brownout::mock
