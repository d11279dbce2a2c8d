// Machines that decide about further attempts.

#include <fmt/format.h>

#include <deque>
#include <stdexcept>

#include "engine/core/draw.hpp"
#include "engine/policy/budget.hpp"
#include "tests/docs/worked.hpp"

namespace brownout::docs {
namespace {

Draws draws_of(std::uint64_t call, std::uint32_t nth) {
  return DrawFamily(1, Purpose::backoff_jitter, "page").at(call, nth);
}

std::string short_text(Duration duration) {
  return format_duration_short(duration);
}

}  // namespace

// {"options": a retry, "waits": n}: what is computed, and what three calls draw.
std::string work_out_backoff(const Input& input) {
  constexpr std::size_t calls = 3;
  const auto retry = options_of<RetryOptions>("retry", input);
  BackoffOptions plain = retry.wait;
  plain.jitter = Jitter::none;
  const bool drawn =
      retry.wait.jitter != Jitter::none || retry.wait.shape == BackoffOptions::Shape::random;
  std::array<BackoffState, calls + 1> states{};
  std::string text =
      drawn ? "wait    computed      call 1      call 2      call 3\n" : "wait    computed\n";
  for (std::uint32_t n = 0; n < number_of(input.at("waits")); ++n) {
    Draws unused = draws_of(0, n);
    text +=
        fmt::format("{:4}{:>12}", n + 1, short_text(next_backoff(plain, states[calls], unused)));
    for (std::size_t call = 0; drawn && call < calls; ++call) {
      Draws draws = draws_of(call, n);
      text += fmt::format("{:>12}", short_text(next_backoff(retry.wait, states[call], draws)));
    }
    text += "\n";
  }
  return text;
}

// {"options": a retry, "attempts": [[took, outcome], …], "deadline": time}: one call.
std::string work_out_retry(const Input& input) {
  const auto options = options_of<RetryOptions>("retry", input);
  const Instant deadline = input.has("deadline") ? instant_of(input.at("deadline")) : never;
  RetryState state;
  Instant now{};
  std::string text;
  for (const Node& attempt : input.list("attempts")) {
    state.attempts += 1;
    text += fmt::format("{:>7}  attempt {}\n", time_text(now), state.attempts);
    now += duration_of(attempt.items.at(0));
    const std::string words = attempt.items.at(1).text;
    Draws draws = draws_of(0, state.attempts - 1);
    const auto decision = next_retry(options, state, outcome_of(words), now, deadline, draws);
    text += fmt::format("{:>7}  {}: {}\n", time_text(now), words,
                        decision.retries() ? "again at " + time_text(decision.at)
                                           : "ends, " + std::string(to_string(decision.stop)));
    if (!decision.retries()) return text;
    now = decision.at;
  }
  return text;
}

// {"options": a retry, "computed": wait, "hints": [duration, …]}.
std::string work_out_hint(const Input& input) {
  const auto options = options_of<RetryOptions>("retry", input);
  std::string text = fmt::format("{:>9}{:>9}   {}\n", "computed", "hint", "wait");
  for (const Node& hint : input.list("hints")) {
    ServerHint told;
    told.wait = duration_of(hint);
    const auto decision = apply_hint(options.hint, duration_of(input.at("computed")), told);
    text += fmt::format("{:>9}{:>9}   {}\n", input.at("computed").text, hint.text,
                        decision.retries() ? short_text(decision.wait)
                                           : "no retry: " + std::string(to_string(decision.stop)));
  }
  return text;
}

// {"answers": [{"headers": {name: value}, "body": text}, …]}.
std::string work_out_hint_reading(const Input& input) {
  std::string text;
  for (const Node& answer : input.list("answers")) {
    std::vector<HeaderView> headers;
    std::string told;
    if (const Node* sent = answer.find("headers")) {
      for (const auto& [name, span, value] : sent->members) {
        headers.push_back({name, value.text});
        told += name + ": " + value.text + "  ";
      }
    }
    const Node* body = answer.find("body");
    if (body != nullptr) told += body->text + "  ";
    const auto hint = read_server_hint(headers, body != nullptr ? body->text : "", SystemTime{});
    text +=
        fmt::format("{:<52} {}, {}\n", told, hint.wait ? format_duration(*hint.wait) : "no hint",
                    to_string(hint.source));
  }
  return text;
}

// {"options": a budget, "events": [[at, what, times], …]}; what: call, success (of a first
// attempt), retry success, failure OUTCOME, retry after OUTCOME.
std::string work_out_budget(const Input& input) {
  const auto policy = parse_policy(
      "page", R"({"kind":"policy","version":1,"name":"page","to":"a/b","budgets":{"b":)" +
                  input.source("options") +
                  R"(},"pipeline":[{"retry":{"budget":"b"}},{"timeout":{"attempt":"30s"}}]})");
  if (!policy) throw std::runtime_error(policy.error().front().to_string());
  RetryBudget budget(policy->budgets.at(0).options);
  std::deque<Charge> charges;
  std::string text = fmt::format("{:>6}  {:<32}{:>9}{:>9}\n", "at", "", "granted", "level");
  const auto line = [&](std::string_view at, std::string_view what, std::string_view granted,
                        Instant now) {
    text += fmt::format("{:>6}  {:<32}{:>9}{:>9}\n", at, what, granted,
                        static_cast<double>(budget.level(now)) / 1000);
  };
  line("", "to begin with", "", Instant{});
  for (const Node& event : input.list("events")) {
    const Instant now = instant_of(event.items.at(0));
    const std::string& what = event.items.at(1).text;
    const std::int64_t times = number_of(event.items.at(2));
    std::int64_t granted = 0;
    const bool asks = what.starts_with("retry after ");
    for (std::int64_t i = 0; i < times; ++i) {
      if (what == "call") {
        budget.on_call(now);
      } else if (what == "success") {
        budget.on_success(now);
      } else if (what == "retry success") {
        budget.on_success(now, charges.at(0));
        charges.pop_front();
      } else if (asks) {
        const auto charge = budget.try_withdraw(now, outcome_of(what.substr(12)));
        if (charge) charges.push_back(*charge);
        granted += charge ? 1 : 0;
      } else {
        budget.on_failure(now, outcome_of(what.substr(8)));
      }
    }
    line(event.items.at(0).text, fmt::format("{} x {}", times, what),
         asks ? std::to_string(granted) : "", now);
  }
  return text;
}

// {"options": a fallback, "failures": [[took, outcome], …], "deadline": time}: one call.
std::string work_out_fallback(const Input& input) {
  const Policy policy = policy_with("[{\"fallback\":" + input.source("options") + "}]");
  const auto& spec = std::get<FallbackSpec>(policy.pipeline.at(0));
  Draws draws = DrawFamily(1, Purpose::route_order, "page").at(0);
  const Instant deadline = input.has("deadline") ? instant_of(input.at("deadline")) : never;
  FallbackState state(spec.options, order_routes(spec.options, draws));
  Instant now{};
  std::string text =
      fmt::format("{:>6}  asks {}\n", "0s", spec.routes.at(state.first_route()).name);
  for (const Node& failure : input.list("failures")) {
    now += duration_of(failure.items.at(0));
    const std::string& words = failure.items.at(1).text;
    const auto decision = state.after_failure(spec.options, outcome_of(words), now, deadline);
    const auto route = [&] { return spec.routes.at(decision.route).name; };
    text += fmt::format("{:>6}  {}: ", time_text(now), words);
    switch (decision.step) {
      case FallbackStep::next_route:
        text += "asks " + route();
        break;
      case FallbackStep::wait:
        text += "waits until " + time_text(decision.at) + ", then asks " + route();
        now = decision.at;
        break;
      case FallbackStep::look_in_cache:
        text += "looks for a stored reply\n";
        text += fmt::format("{:>6}  there is none: {}", time_text(now),
                            after_cache_miss(spec.options) == FallbackStep::default_reply
                                ? "answers with the default reply"
                                : "gives up");
        break;
      case FallbackStep::default_reply:
        text += "answers with the default reply";
        break;
      case FallbackStep::give_up:
        text += "gives up";
        break;
    }
    text += "\n";
  }
  return text;
}

// {"options": a hedge, "latencies": [[duration, times], …], "copies": [[at, outcome], …]}:
// latencies known before; then copies that end, in order.
std::string work_out_hedge(const Input& input) {
  const auto spec = options_of<HedgeSpec>("hedge", input);
  LatencyQuantile recent(spec.options.samples);
  if (input.has("latencies")) {
    for (const Node& known : input.list("latencies")) {
      for (std::int64_t i = 0; i < number_of(known.items.at(1)); ++i) {
        recent.record(duration_of(known.items.at(0)), Instant{});
      }
    }
  }
  HedgeBudget budget(spec.budget);
  budget.on_call(Instant{});
  HedgeState state = begin_hedging(spec.options, recent, Instant{});
  std::string text = fmt::format("{:>6}  the first copy begins\n", "0s");
  const auto run_until = [&](Instant until) {
    for (auto due = when_to_hedge(spec.options, state, Instant{}); due && *due <= until;
         due = when_to_hedge(spec.options, state, *due)) {
      const auto step = on_hedge_due(spec.options, state, budget, *due);
      text += fmt::format("{:>6}  due: {}\n", time_text(*due),
                          step == HedgeStep::hedge ? "a hedge begins" : "refused by the budget");
    }
  };
  for (const Node& copy : input.list("copies")) {
    const Instant now = instant_of(copy.items.at(0));
    run_until(now);
    const std::string& words = copy.items.at(1).text;
    const auto step = on_copy_end(spec.options, state, budget, outcome_of(words), now);
    text += fmt::format("{:>6}  {}: {}\n", time_text(now), words,
                        step == HedgeStep::settle  ? "the call ends"
                        : step == HedgeStep::hedge ? "a hedge begins at once"
                                                   : "the others run on");
  }
  return text;
}

}  // namespace brownout::docs
