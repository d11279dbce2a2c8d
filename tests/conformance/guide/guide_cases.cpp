#include "tests/conformance/guide/guide_cases.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <span>

#include "engine/core/draw.hpp"

namespace brownout::conformance {
namespace {

using enum OutcomeKind;

constexpr std::uint64_t seed = 20'241'211;
constexpr Ticks second = ticks_per_second;

template <class T>
T pick(Draws& draws, std::span<const T> from) {
  return from[draws.below(from.size())];
}

Ticks below(Draws& draws, Ticks bound) {
  return static_cast<Ticks>(draws.below(static_cast<std::uint64_t>(bound)));
}

// Within two ticks of `around`, which is where one tick may decide.
Ticks close_to(Draws& draws, Ticks around) {
  return around + below(draws, 5) - 2;
}

constexpr std::array all_failures{
    rate_limited,    slow_down,        request_too_large, quota_exhausted, daily_limited,
    overloaded,      server_error,     bad_gateway,       connection,      timed_out,
    malformed_reply, stream_truncated, authentication,    permission,      not_found,
    context_length,  content_policy,   invalid_request};
constexpr std::array throttling{rate_limited,    rate_limited,  slow_down, request_too_large,
                                quota_exhausted, daily_limited, timed_out};
constexpr std::array refusals{server_error, connection,     overloaded,
                              bad_gateway,  authentication, context_length};

// A provider's mood: what it answers for a while.
enum class Mood : std::uint8_t { well, throttled, down, mixed };
constexpr std::array moods{Mood::well, Mood::throttled, Mood::down, Mood::mixed};

OutcomeKind draw_outcome(Draws& draws, Mood mood) {
  const auto percent = draws.below(100);
  switch (mood) {
    case Mood::well:
      return percent < 95 ? success : pick<OutcomeKind>(draws, all_failures);
    case Mood::throttled:
      return percent < 8 ? success : pick<OutcomeKind>(draws, throttling);
    case Mood::down:
      return percent < 5 ? success : pick<OutcomeKind>(draws, refusals);
    case Mood::mixed:
      return percent < 40 ? success : pick<OutcomeKind>(draws, all_failures);
  }
  return success;
}

Ticks draw_duration(Draws& draws) {
  const auto percent = draws.below(100);
  if (percent < 45) return 0;
  if (percent < 75) return below(draws, 3 * second);
  if (percent < 85) return below(draws, 30 * second);
  if (percent < 95) return close_to(draws, 30 * second);
  return 30 * second + below(draws, 30 * second);
}

Answer draw_answer(Draws& draws, Mood mood) {
  const OutcomeKind outcome = draw_outcome(draws, mood);
  // A scripted timeout is an attempt that never ends by itself.
  if (outcome == timed_out) return {success, 3600 * second};
  return {outcome, draw_duration(draws)};
}

std::vector<Answer> draw_script(Draws& draws) {
  std::vector<Answer> script;
  const auto spells = 1 + draws.below(6);
  const bool instant = draws.chance(400'000);
  for (std::uint64_t i = 0; i < spells; ++i) {
    const Mood mood = pick<Mood>(draws, moods);
    const auto length = 1 + draws.below(20);
    for (std::uint64_t k = 0; k < length; ++k) {
      script.push_back(draw_answer(draws, mood));
      if (instant && script.back().outcome != success) script.back().after = 0;
    }
  }
  return script;
}

Ticks draw_gap(Draws& draws) {
  const auto percent = draws.below(100);
  if (percent < 45) return 0;
  if (percent < 65) return below(draws, 10 * second);
  if (percent < 80) return close_to(draws, 60 * second);
  if (percent < 85) return 60 * second - below(draws, 60 * second);
  if (percent < 90) return below(draws, 300 * second);
  if (percent < 97) return close_to(draws, 3600 * second);
  return below(draws, 7200 * second);
}

// Attempts that fail at once but for two, placed so that the eighth ends, after 262 s of waits,
// within two ticks of the 300 s after which the long policy gives up.
std::vector<Answer> draw_long_throttling(Draws& draws) {
  std::vector<Answer> script(8, {rate_limited, 0});
  script.front().after = 19 * second;
  script.back().after = close_to(draws, 19 * second);
  return script;
}

const char* name(BreakerCase::Event::Kind kind) {
  switch (kind) {
    case BreakerCase::Event::Kind::enter:
      return "enter";
    case BreakerCase::Event::Kind::success:
      return "success";
    case BreakerCase::Event::Kind::failure:
      return "failure";
  }
  return "";
}

}  // namespace

PolicyCase make_policy_case(const std::string& policy, std::uint64_t number) {
  Draws draws = DrawFamily(seed, Purpose::fault, policy).at(number);
  PolicyCase history;
  history.policy = policy;
  for (std::size_t model = 0; model < std::size(models); ++model) {
    history.scripts.push_back(draw_script(draws));
  }
  if (policy == "guide-rate-limit" && draws.chance(200'000)) {
    history.scripts.front() = draw_long_throttling(draws);
  }
  const auto calls = 4 + draws.below(17);
  for (std::uint64_t i = 0; i < calls; ++i) {
    const Ticks gap = draw_gap(draws);
    history.calls.push_back({gap, static_cast<std::uint32_t>(draws.below(3))});
  }
  return history;
}

BreakerCase make_breaker_case(const std::string& breaker, std::uint64_t number) {
  using Kind = BreakerCase::Event::Kind;
  Draws draws = DrawFamily(seed, Purpose::arrival, breaker).at(number);
  BreakerCase history;
  history.breaker = breaker;
  const auto events = 20 + draws.below(41);
  const auto entries = 35 + draws.below(30);  // percent
  const auto failures = draws.below(101);     // percent of the ends
  for (std::uint64_t i = 0; i < events; ++i) {
    BreakerCase::Event event;
    const auto percent = draws.below(100);
    if (percent < 20) event.gap = below(draws, 20 * second);
    if (percent >= 20 && percent < 32) event.gap = close_to(draws, 60 * second);
    if (percent >= 32 && percent < 37) event.gap = below(draws, 120 * second);
    if (draws.below(100) >= entries) {
      event.kind = draws.below(100) < failures ? Kind::failure : Kind::success;
    }
    event.place = static_cast<std::uint32_t>(draws.below(64));
    history.events.push_back(event);
  }
  return history;
}

std::string to_json(const PolicyCase& history) {
  std::vector<std::string> scripts;
  for (std::size_t model = 0; model < history.scripts.size(); ++model) {
    std::vector<std::string> answers;
    for (const Answer& answer : history.scripts[model]) {
      answers.push_back(fmt::format(R"(["{}", {}])", to_string(answer.outcome), answer.after));
    }
    scripts.push_back(fmt::format(R"("{}": [{}])", models[model], fmt::join(answers, ", ")));
  }
  std::vector<std::string> calls;
  for (const auto& call : history.calls)
    calls.push_back(fmt::format("[{}, {}]", call.gap, call.prompt));
  return fmt::format(R"({{"policy": "{}", "scripts": {{{}}}, "calls": [{}]}})", history.policy,
                     fmt::join(scripts, ", "), fmt::join(calls, ", "));
}

std::string to_json(const BreakerCase& history) {
  std::vector<std::string> events;
  for (const auto& event : history.events) {
    events.push_back(fmt::format(R"([{}, "{}", {}])", event.gap, name(event.kind), event.place));
  }
  return fmt::format(R"({{"breaker": "{}", "events": [{}]}})", history.breaker,
                     fmt::join(events, ", "));
}

}  // namespace brownout::conformance
