#pragma once

// Where a call goes when a route has failed it: another route, the first of the routes that will be
// back, a cached reply, a default reply.
//
// Routes are tried in an order that is fixed when the call comes, each at most once; a route that
// is for certain failures is passed over unless one of those has just happened. So what a provider
// refuses as the caller's fault goes where the policy says such requests can be served, and not
// from one provider to the next (opencode-go-multi-auth PR 6: a request that no model could answer
// opened the breakers of all of them).

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/core/draw.hpp"
#include "engine/core/outcome.hpp"
#include "engine/core/time.hpp"

namespace brownout {

struct FallbackRoute {
  /// The failures of other routes that lead to this one; they need not be in FallbackOptions::on.
  /// Such a route is never the first. Default: what `on` lists.
  std::optional<OutcomeSet> only_for{};

  /// How often this route comes before others, in proportion; for Order::weighted alone. 1 to
  /// 1,000,000. Default 1.
  std::uint32_t weight = 1;
};

struct FallbackOptions {
  static constexpr std::size_t routes_max = 32;

  /// 1 to routes_max; the first has no `only_for`.
  std::vector<FallbackRoute> routes{FallbackRoute{}};

  /// In what order routes are tried. Default listed.
  enum class Order : std::uint8_t {
    listed,    ///< as they are listed
    weighted,  ///< drawn for each call, by weight and without replacement
  };
  Order order = Order::listed;

  /// The most routes that a call tries. 1 to routes_max. Default: all (LiteLLM: 5).
  std::uint8_t max_routes = routes_max;

  /// Which failures move on. Default: everything except what is critical (a person must look) and
  /// what the request itself causes (it would fail elsewhere too).
  OutcomeSet on = default_on();
  static OutcomeSet default_on();

  /// When every route tried has refused the call itself (an open breaker, a limit of ours): the
  /// longest wait for the first that said when it will be back. That one is asked again, once.
  /// Default: no wait; the failure then says when the first will be back.
  std::optional<Duration> wait_at_most{};

  /// After the last route: a cached reply younger than `cached_ttl`, which is fresh, or younger
  /// than `cached_stale`, which is not. Default: no; 1 h; 0 s, no stale ones.
  bool cached = false;
  Duration cached_ttl = std::chrono::hours{1};
  Duration cached_stale{0};

  /// After that: this reply. Null for none (default).
  SharedText default_reply{};

  /// How long a stored reply may be of use here; 0 without `cached`.
  Duration keep_for() const;
};

/// The routes of a call, in the order in which it tries them; the rest is not used.
using RouteOrder = std::array<std::uint8_t, FallbackOptions::routes_max>;

/// As listed, or drawn. *Determinism*: for Order::weighted one word of `draws` for each route but
/// the last, else none.
RouteOrder order_routes(const FallbackOptions& options, Draws& draws);

/// What to do after a failure.
enum class FallbackStep : std::uint8_t {
  next_route,  ///< to `route`
  wait,        ///< until `at`, then to `route`, which has been tried before
  look_in_cache,
  default_reply,
  give_up,  ///< with the first failure that a provider caused, else the first
};

struct FallbackDecision {
  FallbackStep step = FallbackStep::give_up;
  std::uint8_t route = 0;
  Instant at{};
};

/// Which routes one call has tried, and what they said. *Threads*: none of its own.
/// *Determinism*: integers; time only as told.
class FallbackState {
 public:
  FallbackState(const FallbackOptions& options, const RouteOrder& order);

  /// The route to begin with: the first in order that is not for certain failures only.
  std::uint8_t first_route() const { return route_; }

  /// Decides after the route it said last ended with the failure `outcome` at `now`. No route is
  /// begun and no wait ends at or after `deadline`, but a stored or default reply may still answer.
  /// Requires: the options of the constructor.
  FallbackDecision after_failure(const FallbackOptions& options, const Outcome& outcome,
                                 Instant now, Instant deadline);

  /// How long until the first route is back, when all that were tried refused the call themselves
  /// and one of them said so: what a refusal that is given back should carry. Never negative.
  std::optional<Duration> soonest_return(Instant now) const;

 private:
  void note(const Outcome& outcome, Instant now);
  std::optional<std::uint8_t> next_route(const FallbackOptions& options,
                                         const Outcome& outcome) const;
  void begin(std::uint8_t route);

  RouteOrder order_;
  std::uint32_t tried_ = 0;      // a bit for each route
  std::uint8_t count_ = 0;       // of them
  std::uint8_t route_ = 0;       // where the call is
  std::uint8_t first_back_ = 0;  // the route that `back_` is about
  bool refused_by_all_ = true;   // so far
  bool waited_ = false;
  Instant back_ = never;       // when the first of the refusing routes will be back
  Instant next_back_ = never;  // when the next of them will
};

/// Decides after the cache had nothing.
FallbackStep after_cache_miss(const FallbackOptions& options);

/// The outcome of a call answered by the default reply.
Outcome answer_by_default(const FallbackOptions& options);

/// Keeps the failure to give back: the first that a provider caused, else the first.
bool is_better_to_give_back(const Outcome& candidate, const Outcome& kept);

}  // namespace brownout
