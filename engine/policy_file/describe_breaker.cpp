#include "engine/policy_file/describe_breaker.hpp"

#include <fmt/format.h>

#include <vector>

namespace brownout {
namespace {

std::string percent(std::uint32_t per_mille) {
  return per_mille % 10 == 0 ? fmt::format("{}%", per_mille / 10)
                             : fmt::format("{}.{}%", per_mille / 10, per_mille % 10);
}

std::string_view mode(BreakerOptions::Mode mode) {
  switch (mode) {
    case BreakerOptions::Mode::automatic:
      return "";
    case BreakerOptions::Mode::forced_open:
      return "forced open; by itself it ";
    case BreakerOptions::Mode::disabled:
      return "disabled; by itself it ";
    case BreakerOptions::Mode::metrics_only:
      return "refuses nothing; by itself it ";
  }
  return "";
}

std::string rules(const BreakerOptions& options) {
  std::vector<std::string> any;
  if (options.consecutive_failures != 0) {
    any.push_back(fmt::format("{} failures in a row", options.consecutive_failures));
  }
  const std::string window = options.window_calls != 0
                                 ? fmt::format("the last {} calls", options.window_calls)
                                 : "the last " + format_duration(options.window_time);
  const std::string_view than =
      options.comparison == BreakerOptions::Comparison::above ? "more than " : "";
  const std::string from = fmt::format(" of {}, from {} calls on", window, options.minimum_calls);
  const std::string failure_rate =
      fmt::format("{}{} failures{}", than, percent(options.failure_per_mille), from);
  const std::string failures = fmt::format("{} failures in {}", options.failures_in_window, window);
  if (options.require_both) {
    any.push_back(failure_rate + " and " + failures);
  } else {
    if (options.failure_per_mille != 0) any.push_back(failure_rate);
    if (options.failures_in_window != 0) any.push_back(failures);
  }
  if (options.slow_per_mille != 0) {
    any.push_back(fmt::format("{}{} calls slower than {}{}", than, percent(options.slow_per_mille),
                              format_duration(options.slow_call), from));
  }
  if (options.trip_on != OutcomeSet::none()) any.push_back(options.trip_on.to_string());
  return any.empty() ? "nothing" : fmt::format("{}", fmt::join(any, " or "));
}

std::string open_jitter(const OpenTimeOptions& options) {
  const std::string_view unless = options.jitter_first ? "" : " but for the first";
  switch (options.jitter) {
    case OpenTimeOptions::Jitter::none:
      return "";
    case OpenTimeOptions::Jitter::equal:
      return fmt::format(", equal jitter{}", unless);
    case OpenTimeOptions::Jitter::full:
      return fmt::format(", full jitter{}", unless);
    case OpenTimeOptions::Jitter::proportional:
      return fmt::format(", {} to {} times that{}", options.spread_low_per_mille * 1e-3,
                         options.spread_high_per_mille * 1e-3, unless);
  }
  return "";
}

std::string growth(const OpenTimeOptions& options) {
  if (options.factor_per_mille <= 1000 && options.add == Duration{0}) return "";
  std::string text = options.add > Duration{0}
                         ? fmt::format(", {} more each time", format_duration(options.add))
                         : fmt::format(", times {} each time", options.factor_per_mille * 1e-3);
  if (options.max != forever) text += " up to " + format_duration(options.max);
  switch (options.reset) {
    case OpenTimeOptions::Reset::on_close:
      return text;
    case OpenTimeOptions::Reset::after:
      return text + " until closed for " + format_duration(options.reset_every);
    case OpenTimeOptions::Reset::step:
      return text + " less one step every " + format_duration(options.reset_every) + " closed";
  }
  return text;
}

std::string open_time(const BreakerOptions& options) {
  const OpenTimeOptions& details = options.open_time;
  std::string text = format_duration(options.open_for) + growth(details) + open_jitter(details);
  if (details.obey_retry_after) {
    text += fmt::format(" (or retry-after, {} to {})", format_duration(details.hint_min),
                        format_duration(details.hint_max));
  }
  return text;
}

std::string close_rule(const BreakerOptions& options) {
  const CloseRule& rule = options.close_rule;
  switch (rule.kind) {
    case CloseRule::Kind::successes:
    case CloseRule::Kind::none:
      return fmt::format("closes after {}", options.close_after);
    case CloseRule::Kind::m_of_n:
      return fmt::format("closes after {} of {}", rule.successes, rule.calls);
    case CloseRule::Kind::ratio:
      return fmt::format("closes below {} failures of {}", percent(rule.failure_per_mille),
                         rule.calls);
    case CloseRule::Kind::ramp:
      return fmt::format("a share of calls growing from {} over {}, closes below {} failures of {}",
                         percent(rule.ramp_from_per_mille), format_duration(rule.ramp),
                         percent(rule.failure_per_mille), rule.calls);
  }
  return "";
}

std::string half_open(const BreakerOptions& options) {
  if (options.close_rule.kind == CloseRule::Kind::none) return "closes";
  const std::string probes =
      options.probes == 0 ? "every call probes"
                          : fmt::format("probes {} at a time, each for at most {}", options.probes,
                                        format_duration(options.probe_lease));
  return probes + ", " + close_rule(options);
}

std::string_view late_results(BreakerOptions::LateResults mode) {
  switch (mode) {
    case BreakerOptions::LateResults::ignored:
      return "";
    case BreakerOptions::LateResults::extend_open:
      return ", late failures extend the open period";
    case BreakerOptions::LateResults::counted:
      return ", late results count";
    case BreakerOptions::LateResults::unless_open:
      return ", late results count unless it is open";
  }
  return "";
}

std::string scope(const BreakerOptions& options) {
  switch (options.scope) {
    case BreakerOptions::Scope::route:
      return "";
    case BreakerOptions::Scope::provider:
      return "; one for the provider";
    case BreakerOptions::Scope::key:
      return fmt::format("; one for each of {} keys", options.keys);
  }
  return "";
}

}  // namespace

std::string describe(const BreakerOptions& options) {
  return fmt::format("{}opens after {} for {}, then {}{}{}; failures: {}", mode(options.mode),
                     rules(options), open_time(options), half_open(options),
                     late_results(options.late_results), scope(options),
                     options.failures.to_string());
}

}  // namespace brownout
