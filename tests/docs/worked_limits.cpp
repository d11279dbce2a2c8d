// Machines that keep calls out, or cut them short.

#include <fmt/format.h>

#include <deque>
#include <map>
#include <stdexcept>

#include "engine/policy/breaker.hpp"
#include "engine/policy/cache.hpp"
#include "engine/store/reply_store.hpp"
#include "tests/docs/worked.hpp"

namespace brownout::docs {

// {"options": a breaker, "events": [[at, call, "asks" or its outcome], …]}.
std::string work_out_breaker(const Input& input) {
  Breaker breaker(options_of<BreakerOptions>("breaker", input));
  std::map<std::string, Breaker::Permit> permits;
  std::string text;
  for (const Node& event : input.list("events")) {
    const Instant now = instant_of(event.items.at(0));
    const std::string& call = event.items.at(1).text;
    const std::string& what = event.items.at(2).text;
    std::string answer;
    if (what == "asks") {
      const auto permit = breaker.acquire(now);
      if (permit) permits[call] = *permit;
      answer = permit ? "asks, is let through" : "asks, is refused";
    } else {
      breaker.record(permits.at(call), finding_of(breaker.options(), outcome_of(what)), now);
      answer = what;
    }
    text +=
        fmt::format("{:>7}  {} {:<24}{}", time_text(now), call, answer, to_string(breaker.state()));
    if (answer == "asks, is refused" || breaker.state() == BreakerState::open) {
      text += ", back in " + format_duration_short(breaker.retry_after(now));
    }
    text += "\n";
  }
  return text;
}

// {"options": a rate_limit, "events": [[at, "asks", tokens], [at, "settles" or "asks again", nth,
// tokens], …]}: requests are counted from 1.
std::string work_out_rate_limit(const Input& input) {
  const auto spec = options_of<RateLimitSpec>("rate_limit", input);
  RateLimiter limiter(spec.limiter, Instant{});
  std::deque<RateLimiter::Reservation> requests;
  std::string text = fmt::format("{:>6}  {:<34}{:<22}{}\n", "at", "", "", "tokens left");
  using Kind = RateLimiter::Answer::Kind;
  const auto tell = [](const RateLimiter::Answer& answer) -> std::string {
    switch (answer.kind) {
      case Kind::granted:
        return "goes";
      case Kind::wait:
        return "waits until " + time_text(answer.at);
      case Kind::too_late:
        return "refused: not before " + time_text(answer.at);
      case Kind::impossible:
        return "refused: never fits";
    }
    return {};
  };
  for (const Node& event : input.list("events")) {
    const Instant now = instant_of(event.items.at(0));
    const std::string& what = event.items.at(1).text;
    const std::int64_t number = number_of(event.items.at(2));
    std::string said;
    std::string answer;
    if (what == "asks") {
      said = fmt::format("request {} asks for {}", requests.size() + 1, number);
      answer = tell(limiter.reserve(requests.emplace_back(), number, now));
    } else {
      RateLimiter::Reservation& request = requests.at(static_cast<std::size_t>(number - 1));
      if (what == "settles") {
        limiter.settle(request, number_of(event.items.at(3)), now);
        said = fmt::format("request {} has used {}", number, event.items.at(3).text);
      } else {
        said = fmt::format("request {} asks again", number);
        answer = tell(limiter.ask(request, now));
      }
    }
    text += fmt::format("{:>6}  {:<34}{:<22}{:>11}\n", event.items.at(0).text, said, answer,
                        limiter.token_room(now).value_or(0));
  }
  for (RateLimiter::Reservation& request : requests) limiter.cancel(request, Instant::max());
  return text;
}

// {"options": a bulkhead, "events": [[call, "asks", priority] or [call, "leaves"], …]}.
std::string work_out_bulkhead(const Input& input) {
  Bulkhead bulkhead(options_of<BulkheadSpec>("bulkhead", input).bulkhead);
  std::map<std::string, Bulkhead::Waiter> calls;
  std::string text = fmt::format("{:<28}{:<14}{:>7}{:>8}\n", "", "", "inside", "queued");
  for (const Node& event : input.list("events")) {
    const std::string& name = event.items.at(0).text;
    std::string said = name + " " + event.items.at(1).text;
    std::string answer;
    if (event.items.at(1).text == "asks") {
      const auto priority = static_cast<std::uint8_t>(number_of(event.items.at(2)));
      said += fmt::format(", priority {}", priority);
      const auto admission = bulkhead.acquire(calls[name], priority);
      answer = admission == Bulkhead::Admission::granted  ? "goes"
               : admission == Bulkhead::Admission::queued ? "waits"
                                                          : "refused";
    } else {
      const Bulkhead::Waiter* next = bulkhead.leave(calls.at(name));
      for (const auto& [other, waiter] : calls) {
        if (&waiter == next) answer = other + " goes";
      }
    }
    text += fmt::format("{:<28}{:<14}{:>7}{:>8}\n", said, answer, bulkhead.holders(),
                        bulkhead.queued());
  }
  for (auto& [name, waiter] : calls) {
    while (waiter.state() != Bulkhead::Waiter::State::outside) (void)bulkhead.leave(waiter);
  }
  return text;
}

// {"options": an adaptive_concurrency, "windows": [[latency, in flight, samples, lost], …]}: one a
// second.
std::string work_out_adaptive_concurrency(const Input& input) {
  AdaptiveConcurrency machine(
      options_of<AdaptiveConcurrencySpec>("adaptive_concurrency", input).concurrency);
  std::string text = fmt::format("{:>6}{:>10}{:>11}{:>6}{:>10}{:>7}\n", "at", "latency",
                                 "in flight", "lost", "long run", "limit");
  text += fmt::format("{:>6}{:>10}{:>11}{:>6}{:>10}{:>7}\n", "0s", "", "", "", "", machine.limit());
  Instant now{};
  for (const Node& window : input.list("windows")) {
    const std::int64_t samples = number_of(window.items.at(2));
    const std::int64_t lost = number_of(window.items.at(3));
    AdaptiveConcurrency::Sample sample;
    sample.latency = duration_of(window.items.at(0));
    sample.in_flight = static_cast<std::uint32_t>(number_of(window.items.at(1)));
    for (std::int64_t i = 0; i < samples; ++i) {
      sample.lost = i < lost;
      const bool last = i == samples - 1;
      machine.record(sample, last ? now + std::chrono::seconds{1} : now);
    }
    now += std::chrono::seconds{1};
    text += fmt::format("{:>6}{:>10}{:>11}{:>6}{:>10}{:>7}\n", time_text(now),
                        window.items.at(0).text, sample.in_flight, lost,
                        format_duration_short(machine.long_latency()), machine.limit());
  }
  return text;
}

// {"options": an adaptive_rate, "seconds": [[answers, of them refusals], …]}: evenly spaced,
// refusals last.
std::string work_out_adaptive_rate(const Input& input) {
  AdaptiveRate machine(options_of<AdaptiveRateOptions>("adaptive_rate", input));
  std::string text = fmt::format("{:>6}{:>10}{:>10}   {}\n", "at", "answers", "refusals", "rate");
  Instant now{};
  for (const Node& second : input.list("seconds")) {
    const std::int64_t refusals = number_of(second.items.at(1));
    const std::int64_t answers = number_of(second.items.at(0)) + refusals;
    for (std::int64_t i = 1; i <= answers; ++i) {
      machine.on_answer(i > answers - refusals, now + i * std::chrono::seconds{1} / answers);
    }
    now += std::chrono::seconds{1};
    text += fmt::format("{:>6}{:>10}{:>10}   {}\n", time_text(now), answers, refusals,
                        machine.limits() ? fmt::format("{:.2f} a second",
                                                       static_cast<double>(machine.rate()) / 1000)
                                         : "no limit");
  }
  return text;
}

// {"options": a throttle, "seconds": [[at, requests, of them the provider accepts], …]}: it accepts
// the first that reach it.
std::string work_out_throttle(const Input& input) {
  Throttle throttle(options_of<ThrottleOptions>("throttle", input));
  const DrawFamily family(1, Purpose::throttle, "page");
  std::string text = fmt::format("{:>6}{:>10}{:>10}{:>10}{:>14}\n", "at", "refused", "requests",
                                 "accepts", "then refuses");
  std::uint64_t call = 0;
  for (const Node& second : input.list("seconds")) {
    const Instant now = instant_of(second.items.at(0));
    std::int64_t to_accept = number_of(second.items.at(2));
    std::int64_t refused = 0;
    for (std::int64_t i = 0; i < number_of(second.items.at(1)); ++i) {
      Draws draws = family.at(call++);
      if (!throttle.admit(now, draws)) {
        ++refused;
      } else if (to_accept-- > 0) {
        throttle.accepted(now);
      }
    }
    text += fmt::format("{:>6}{:>10}{:>10}{:>10}{:>13.2f}%\n", second.items.at(0).text, refused,
                        throttle.requests(now), throttle.accepts(now),
                        throttle.rejection(now) / 10'000.0);
  }
  return text;
}

// {"options": a timeout, "begins": [at, …], "deadline": time}.
std::string work_out_timeout(const Input& input) {
  const auto options = options_of<TimeoutOptions>("timeout", input);
  Limits outer;
  if (input.has("deadline")) outer.end = instant_of(input.at("deadline"));
  std::string text = fmt::format("{:>7}{:>12}{:>10}{:>14}{:>8}\n", "begins", "must end", "connect",
                                 "first token", "idle");
  const auto bound = [](Duration limit) {
    return limit == forever ? std::string("none") : format_duration_short(limit);
  };
  for (const Node& begin : input.list("begins")) {
    const Limits limits = narrow(outer, options, instant_of(begin));
    text += fmt::format("{:>7}{:>12}{:>10}{:>14}{:>8}\n", begin.text, time_text(limits.end),
                        bound(limits.connect), bound(limits.first_token), bound(limits.idle));
  }
  return text;
}

// {"options": a cache, "asked": [at, …]}: of a reply stored at 0s.
std::string work_out_cache(const Input& input) {
  const auto options = options_of<CacheOptions>("cache", input);
  const StoredReply stored{};
  std::string text;
  for (const Node& at : input.list("asked")) {
    text += fmt::format("{:>16}  {}\n", at.text,
                        is_fresh(stored, instant_of(at), options.ttl) ? "answers" : "too old");
  }
  return text;
}

// {"options": a token_limit with a window, "requests": [[input, max_tokens, "counted" or
// "estimated"], …]}.
std::string work_out_token_limit(const Input& input) {
  const auto spec = options_of<TokenLimitSpec>("token_limit", input);
  std::string text =
      fmt::format("{:>8}{:>12}{:>12}{:>9}  {}\n", "input", "", "max_tokens", "needed", "verdict");
  for (const Node& request : input.list("requests")) {
    TokenNeed need;
    need.input_tokens = static_cast<std::uint32_t>(number_of(request.items.at(0)));
    need.max_tokens = static_cast<std::uint32_t>(number_of(request.items.at(1)));
    need.estimated = request.items.at(2).text == "estimated";
    const auto decision = check_tokens(spec.limit, need, spec.window);
    std::string verdict(to_string(decision.verdict));
    if (decision.verdict == TokenVerdict::reduce) {
      verdict += fmt::format(" to max_tokens {}", decision.max_tokens);
    }
    text +=
        fmt::format("{:>8}{:>12}{:>12}{:>9}  {}\n", need.input_tokens, request.items.at(2).text,
                    need.max_tokens == 0 ? std::string("none") : std::to_string(need.max_tokens),
                    decision.needed, verdict);
  }
  return text;
}

}  // namespace brownout::docs
