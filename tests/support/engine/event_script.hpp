#pragma once

// An hour at an engine, as an observer hears it: every kind of event, with every enumerator that
// changes what observers do.

#include "engine/telemetry/names.hpp"
#include "engine/telemetry/observer.hpp"

namespace brownout::testing {

/// Two models, a breaker for each and one outside both.
inline PipelineNames two_models() {
  return {{{"gpt-4", "openai/gpt-4"}, {"backup", "anthropic/claude"}},
          {{"pipeline", no_route}, {"gpt-4", 0}, {"backup", 1}}};
}

/// What must never be written anywhere.
inline constexpr const char* secret_text = "my diagnosis is";

inline Outcome billed(Outcome outcome, std::uint32_t input, std::uint32_t output) {
  outcome.billed_input_tokens = input;
  outcome.billed_output_tokens = output;
  return outcome;
}

inline Outcome served(Served by, RouteId route) {
  Outcome outcome;
  outcome.served = by;
  outcome.route = route;
  outcome.status = by == Served::live ? 200 : 0;
  outcome.reply.text = std::make_shared<const std::string>(secret_text);
  return outcome;
}

inline Outcome on_route(Outcome outcome, RouteId route) {
  outcome.route = route;
  return outcome;
}

/// Times are seconds of the script:
///
///     0   call 1 asks gpt-4, is limited at 1, waits until 5, succeeds at 6.5
///     10  call 2 finds a fresh reply
///     20  call 3 asks gpt-4, which fails at 21 and opens its breaker; the backup has a hedge,
///         which loses when the first succeeds at 24
///     30  call 4 is refused by gpt-4's breaker and by three other policies, and gets a default
///     80  gpt-4's breaker half-opens and closes at 81; call 5 waits for quota and for a route
///     90  call 6 has a wrong key; call 7 has timed out after three attempts; calls 8 and 9 share
///     95  call 10 stands in line for a place; its caller leaves at 99
inline void play_every_event(Observer& to) {
  using enum OutcomeKind;
  const auto at = [](double s) { return Instant{} + Duration{static_cast<std::int64_t>(s * 1e9)}; };
  const auto begin = [&](CallId call, RouteId route, std::uint32_t number, double from,
                         std::uint32_t copy = 0) {
    to.on_attempt_start({call, route, route, number, copy, at(from)});
  };
  const auto attempt = [&](CallId call, RouteId route, std::uint32_t number, double from,
                           double until, const Outcome& outcome, std::uint32_t copy = 0) {
    to.on_attempt({call, route, route, number, at(from), at(from), at(until), copy != 0, copy},
                  on_route(outcome, route));
  };

  Outcome limited = Outcome::failure(rate_limited, 429);
  limited.retry_after = std::chrono::seconds{2};
  to.on_call_start({1, at(0)});
  to.on_lookup({1, LookupEvent::Result::miss, at(0)});
  begin(1, 0, 1, 0);
  attempt(1, 0, 1, 0, 1, limited);
  to.on_wait({1, 0, at(1), at(5), WaitReason::retry, rate_limited});
  begin(1, 0, 2, 5);
  attempt(1, 0, 2, 5, 6.5, billed(served(Served::live, 0), 800, 200));
  to.on_call({1, at(0), at(6.5), 2, 1000}, billed(served(Served::live, 0), 800, 200));

  to.on_call_start({2, at(10)});
  to.on_lookup({2, LookupEvent::Result::hit, at(10)});
  to.on_call({2, at(10), at(10)}, served(Served::cached, no_route));

  to.on_call_start({3, at(20)});
  begin(3, 0, 1, 20);
  attempt(3, 0, 1, 20, 21, billed(Outcome::failure(server_error, 500), 800, 0));
  to.on_breaker_failure({3, 1, at(21)});
  to.on_breaker({1, BreakerState::closed, BreakerState::open, at(21)});
  begin(3, 1, 2, 21);
  to.on_hedge({3, 1, 1, at(20), at(23)});
  begin(3, 1, 3, 23, 1);
  attempt(3, 1, 3, 23, 24, billed(Outcome::failure(cancelled), 800, 15), 1);
  attempt(3, 1, 2, 21, 24, billed(served(Served::live, 1), 800, 300));
  to.on_call({3, at(20), at(24), 3, 2715}, billed(served(Served::live, 1), 800, 300));

  to.on_call_start({4, at(30)});
  to.on_rejection({4, 1, at(30), at(30), breaker_open});
  for (const OutcomeKind kind : {throttled, bulkhead_full, client_rate_limited}) {
    to.on_rejection({4, no_breaker, at(30), at(30), kind});
  }
  to.on_lookup({4, LookupEvent::Result::stale, at(30)});
  to.on_call({4, at(30), at(30), 0, 0, true}, served(Served::fallback, no_route));

  to.on_breaker({1, BreakerState::open, BreakerState::half_open, at(80)});
  to.on_breaker({1, BreakerState::half_open, BreakerState::closed, at(81)});
  to.on_call_start({5, at(80)});
  to.on_wait({5, no_route, at(80), at(80.25), WaitReason::quota});
  to.on_wait({5, no_route, at(80.25), at(82), WaitReason::route});
  to.on_wait({5, no_route, at(82), at(83), WaitReason::retry});
  to.on_call({5, at(80), at(83)}, Outcome::failure(deadline_exceeded));

  for (const CallId call : {6U, 7U, 8U}) to.on_call_start({call, at(90)});
  begin(6, 1, 1, 90);
  attempt(6, 1, 1, 90, 90.1, Outcome::failure(authentication, 401));
  to.on_call({6, at(90), at(90.1), 1}, on_route(Outcome::failure(authentication, 401), 1));
  to.on_call({7, at(90), at(188), 3}, on_route(Outcome::failure(timed_out), 0));
  to.on_call_start({9, at(91)});
  to.on_lookup({9, LookupEvent::Result::shared, at(91)});
  to.on_call({8, at(90), at(92)}, served(Served::live, 0));
  to.on_call({9, at(91), at(92)}, served(Served::shared, 0));

  to.on_call_start({10, at(95)});
  to.on_give_up({10, at(95), at(99), 0, 0, true});
}

}  // namespace brownout::testing
