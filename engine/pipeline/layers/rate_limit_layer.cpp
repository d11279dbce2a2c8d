#include "engine/pipeline/layers/rate_limit_layer.hpp"

#include <algorithm>
#include <utility>

#include "engine/pipeline/call.hpp"

namespace brownout {
namespace {

using Kind = RateLimiter::Answer::Kind;

LimitHeader header_of(const RateLimit& told) {
  LimitHeader header;
  if (told.limit > 0) header.limit = told.limit;
  if (told.remaining >= 0) header.remaining = told.remaining;
  if (told.reset_ns >= 0) header.reset = Duration{told.reset_ns};
  return header;
}

}  // namespace

Action RateLimitLayer::enter(Visit& visit, Outcome& outcome) {
  Frame& frame = visit.make_frame<Frame>();
  frame.call = &visit.call();
  frame.tokens = tokens_of(visit, visit.limits());
  frame.attempts = visit.attempts();
  Answer answer;
  {
    const std::lock_guard lock(mutex_);
    const Instant now = clock(visit);
    answer = limiter_->reserve(frame, frame.tokens, now, visit.limits().end);
    frame.answer = answer;
  }
  if (answer.kind == Kind::wait) {
    visit.observer().on_wait({visit.call_id(), route_, visit.now(), answer.at, WaitReason::quota,
                              OutcomeKind::success, visit.copy()});
  }
  return act(visit, answer, outcome);
}

// Woken: an answer lies in the frame, unless it is to wait less long. Expired: the told instant has
// come.
Action RateLimitLayer::resume(Visit& visit, Signal signal, Outcome& outcome) {
  Frame& frame = visit.frame<Frame>();
  Answer answer;
  {
    const std::lock_guard lock(mutex_);
    if (signal == Signal::expired && frame.woken) return Action::park();  // the wake is on its way
    frame.woken = false;
    const Instant now = clock(visit);
    if (frame.waiting()) frame.answer = limiter_->ask(frame, now);
    answer = frame.answer;
    serve(now);
  }
  if (answer.kind == Kind::wait && signal == Signal::expired) {
    visit.observer().on_wait({visit.call_id(), route_, visit.now(), answer.at, WaitReason::quota,
                              OutcomeKind::success, visit.copy()});
  }
  return act(visit, answer, outcome);
}

Action RateLimitLayer::act(Visit& visit, const Answer& answer, Outcome& outcome) {
  switch (answer.kind) {
    case Kind::granted:
      return Action::down();
    case Kind::wait:
      return Action::park(answer.at);
    case Kind::too_late:
      outcome = visit.refuse(OutcomeKind::client_rate_limited,
                             std::max(Duration{0}, answer.at - visit.now()));
      break;
    case Kind::impossible:
      outcome = visit.refuse(OutcomeKind::request_too_large);
      break;
  }
  visit.frame<Frame>().~Frame();
  return Action::turn();
}

Action RateLimitLayer::leave(Visit& visit, Outcome& outcome) {
  Frame& frame = visit.frame<Frame>();
  const bool sent = visit.attempts() != frame.attempts;
  {
    const std::lock_guard lock(mutex_);
    const Instant now = clock(visit);
    if (sent && outcome.limits != RateLimits{}) {
      LimitHeaders headers;
      headers.requests = header_of(outcome.limits.requests);
      headers.tokens = header_of(outcome.limits.tokens);
      limiter_->learn(headers, now);
    }
    settle(frame, sent,
           std::int64_t{outcome.billed_input_tokens} + std::int64_t{outcome.billed_output_tokens},
           now);
    serve(now);
  }
  frame.~Frame();
  return Action::turn();
}

void RateLimitLayer::abandon(Visit& visit, Cut) noexcept {
  Frame& frame = visit.frame<Frame>();
  {
    const std::lock_guard lock(mutex_);
    const Instant now = clock(visit);
    settle(frame, visit.attempts() != frame.attempts, frame.tokens, now);
    serve(now);
  }
  frame.~Frame();
}

std::int64_t RateLimitLayer::tokens_of(const Visit& visit, const Limits& limits) const {
  const std::int64_t input = visit.request().input_tokens;
  const std::uint32_t cap = output_cap(visit.request(), limits);
  const std::int64_t output = cap != 0 ? cap : spec_.output_reserve;
  return spec_.count == RateLimitSpec::Count::used ? input + output : std::max(input, output);
}

Instant RateLimitLayer::clock(const Visit& visit) {
  latest_ = limiter_ ? std::max(latest_, visit.now()) : visit.now();
  if (!limiter_) limiter_.emplace(spec_.limiter, latest_);
  return latest_;
}

void RateLimitLayer::settle(Frame& frame, bool sent, std::int64_t tokens, Instant now) {
  if (!sent) return limiter_->cancel(frame, now);
  const bool asked = spec_.count == RateLimitSpec::Count::asked;
  limiter_->settle(frame, asked ? frame.tokens : tokens, now);
}

// Something was given back, or the first in line has gone: whoever is first now may be served
// already, or at least sooner than it was told.
void RateLimitLayer::serve(Instant now) {
  while (limiter_->first() != nullptr) {
    Frame& first = static_cast<Frame&>(*limiter_->first());
    const Answer before = first.answer;
    first.answer = limiter_->ask(first, now);
    const bool waits = first.answer.kind == Kind::wait;
    if (waits && first.answer.at >= before.at) {
      first.answer = before;
      return;
    }
    if (!std::exchange(first.woken, true)) first.call->wake();
    if (waits) return;
  }
}

}  // namespace brownout
