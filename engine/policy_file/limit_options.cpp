// The options of the layers that limit, read from a policy file and told again.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/core/document_text.hpp"
#include "engine/policy_file/policy_options.hpp"

namespace brownout {
namespace {

constexpr std::int64_t quota_max = 1'000'000'000'000;
constexpr std::int64_t calls_max = 1'000'000;
constexpr std::int64_t window_max = 1'000'000'000;

void read_number_of(ObjectReader& object, std::string_view key, Problems& problems,
                    std::uint32_t& out, std::int64_t low, std::int64_t high) {
  object.optional(key, [&](const Node& value) {
    std::int64_t number = 0;
    if (read_integer(value, problems, number, low, high)) out = static_cast<std::uint32_t>(number);
  });
}

// A number in [low, high] as so many parts of `whole`.
void read_parts(ObjectReader& object, std::string_view key, Problems& problems, std::uint32_t& out,
                double low, double high, double whole = 1000) {
  object.optional(key, [&](const Node& value) {
    double number = 0;
    if (read_number(value, problems, number, low, high)) {
      out = static_cast<std::uint32_t>(std::llround(number * whole));
    }
  });
}

void read_queue(ObjectReader& object, Problems& problems, std::uint32_t& max_queued,
                Duration& max_wait) {
  read_number_of(object, "max_queued", problems, max_queued, 0, calls_max);
  object.optional("max_wait", [&](const Node& value) {
    read_duration(value, problems, max_wait, Duration{1});
  });
}

// What the file says of two values that have an order; what it leaves out gives way.
template <class T>
void keep_order(const Node& node, Problems& problems, std::string_view lower, T& low,
                std::string_view upper, T& high) {
  if (low <= high) return;
  const Node* said_low = node.find(lower);
  const Node* said_high = node.find(upper);
  if (said_low != nullptr && said_high != nullptr) {
    problems.add(*said_low, quoted(lower) + " is greater than " + quoted(upper));
  }
  if (said_low != nullptr) {
    high = low;
  } else {
    low = high;
  }
}

std::string per_minute(std::int64_t requests, std::int64_t tokens) {
  if (requests == 0 && tokens == 0) return "what the provider tells";
  if (tokens == 0) return fmt::format("{} requests per minute", requests);
  if (requests == 0) return fmt::format("{} tokens per minute", tokens);
  return fmt::format("{} requests and {} tokens per minute", requests, tokens);
}

std::string queue(std::uint32_t max_queued, Duration max_wait) {
  if (max_queued == 0) return ", no queue";
  return fmt::format(", {} in line{}", max_queued,
                     max_wait == forever ? "" : " for up to " + format_duration(max_wait));
}

}  // namespace

void read_rate_limit(const Node& node, Problems& problems, RateLimitSpec& spec) {
  RateLimiterOptions& limiter = spec.limiter;
  ObjectReader object(node, problems);
  const auto quota = [&](std::string_view key, std::int64_t& out) {
    return object.optional(
        key, [&](const Node& value) { read_integer(value, problems, out, 1, quota_max); });
  };
  const bool requests = quota("requests_per_minute", limiter.requests_per_minute);
  const bool tokens = quota("tokens_per_minute", limiter.tokens_per_minute);
  quota("request_burst", limiter.request_burst);
  object.optional("starts_full",
                  [&](const Node& value) { read_bool(value, problems, limiter.starts_full); });
  object.optional("max_wait",
                  [&](const Node& value) { read_duration(value, problems, limiter.max_wait); });
  object.optional("learn", [&](const Node& value) { read_bool(value, problems, limiter.learns); });
  object.optional("count", [&](const Node& value) {
    std::size_t word = 0;
    if (read_word(value, problems, {"used", "asked"}, word)) {
      spec.count = static_cast<RateLimitSpec::Count>(word);
    }
  });
  read_number_of(object, "output_reserve", problems, spec.output_reserve, 1, window_max);
  object.finish();
  if (!limiter.learns && !requests && !tokens) {
    problems.add(*node.find("learn"), "this rate limit limits nothing",
                 "expected \"requests_per_minute\" or \"tokens_per_minute\" beside it");
  }
}

void read_bulkhead(const Node& node, Problems& problems, BulkheadSpec& spec) {
  ObjectReader object(node, problems);
  read_number_of(object, "max_concurrent", problems, spec.bulkhead.max_concurrent, 1, calls_max);
  read_queue(object, problems, spec.bulkhead.max_queued, spec.max_wait);
  object.finish();
}

void read_adaptive_concurrency(const Node& node, Problems& problems,
                               AdaptiveConcurrencySpec& spec) {
  AdaptiveConcurrencyOptions& options = spec.concurrency;
  ObjectReader object(node, problems);
  read_number_of(object, "initial_limit", problems, options.initial_limit, 1, calls_max);
  read_number_of(object, "min_limit", problems, options.min_limit, 1, calls_max);
  read_number_of(object, "max_limit", problems, options.max_limit, 1, calls_max);
  read_parts(object, "tolerance", problems, options.tolerance_permille, 1, 10);
  read_parts(object, "smoothing", problems, options.smoothing_permille, 0.001, 1);
  object.optional("window", [&](const Node& value) {
    read_duration(value, problems, options.window, Duration{1}, std::chrono::hours{24});
  });
  read_number_of(object, "window_samples", problems, options.window_samples, 1, calls_max);
  object.optional("long_window", [&](const Node& value) {
    read_duration(value, problems, options.long_window, Duration{1}, std::chrono::hours{24 * 366});
  });
  read_parts(object, "loss", problems, options.loss_permille, 0, 1);
  read_parts(object, "backoff", problems, options.backoff_permille, 0.001, 0.999);
  read_queue(object, problems, spec.max_queued, spec.max_wait);
  object.finish();
  keep_order(node, problems, "min_limit", options.min_limit, "max_limit", options.max_limit);
  keep_order(node, problems, "min_limit", options.min_limit, "initial_limit",
             options.initial_limit);
  keep_order(node, problems, "initial_limit", options.initial_limit, "max_limit",
             options.max_limit);
  keep_order(node, problems, "window", options.window, "long_window", options.long_window);
}

void read_throttle(const Node& node, Problems& problems, ThrottleOptions& options) {
  ObjectReader object(node, problems);
  read_parts(object, "multiplier", problems, options.multiplier, 1, 1000);
  object.optional("window", [&](const Node& value) {
    read_duration(value, problems, options.window, std::chrono::seconds{1}, std::chrono::hours{1});
  });
  read_parts(object, "max_rejection", problems, options.max_rejection, 0, 1, 1'000'000);
  read_number_of(object, "allowance", problems, options.allowance, 0, calls_max);
  object.finish();
}

void read_adaptive_rate(const Node& node, Problems& problems, AdaptiveRateOptions& options) {
  ObjectReader object(node, problems);
  object.optional("max_wait", [&](const Node& value) {
    read_duration(value, problems, options.max_wait, Duration{1});
  });
  object.finish();
}

void read_token_limit(const Node& node, Problems& problems, TokenLimitSpec& spec) {
  ObjectReader object(node, problems);
  read_number_of(object, "window", problems, spec.window, 1, window_max);
  object.optional("on_too_long", [&](const Node& value) {
    std::size_t word = 0;
    if (read_word(value, problems, {"fail", "reduce", "route"}, word)) {
      spec.limit.on_too_long = static_cast<TokenLimitOptions::OnTooLong>(word);
    }
  });
  read_number_of(object, "reserve", problems, spec.limit.reserve, 1, window_max);
  read_number_of(object, "estimate_margin_percent", problems, spec.limit.estimate_margin_percent, 0,
                 1000);
  object.finish();
}

std::string describe(const RateLimitSpec& spec) {
  const RateLimiterOptions& limiter = spec.limiter;
  std::string text =
      "rate_limit: " + per_minute(limiter.requests_per_minute, limiter.tokens_per_minute);
  if (limiter.request_burst != 0) {
    text += fmt::format(", {} requests at once", limiter.request_burst);
  }
  if (!limiter.starts_full) text += ", starting empty";
  text += spec.count == RateLimitSpec::Count::asked
              ? ", counting the larger of input and max_tokens"
              : ", counting what is used";
  text += fmt::format(", output of {} where no max_tokens is given", spec.output_reserve);
  text += ", waits up to " + format_duration(limiter.max_wait);
  return text + (limiter.learns ? ", learns" : "");
}

std::string describe(const BulkheadSpec& spec) {
  return fmt::format("bulkhead: {} at once{}", spec.bulkhead.max_concurrent,
                     queue(spec.bulkhead.max_queued, spec.max_wait));
}

std::string describe(const AdaptiveConcurrencySpec& spec) {
  const AdaptiveConcurrencyOptions& options = spec.concurrency;
  return fmt::format(
      "adaptive_concurrency: {} at once, between {} and {}{}; tolerance {}, smoothing {}, windows "
      "of {} and {} calls, level over {}, to {} when more than {} are lost",
      options.initial_limit, options.min_limit, options.max_limit,
      queue(spec.max_queued, spec.max_wait), options.tolerance_permille * 1e-3,
      options.smoothing_permille * 1e-3, format_duration(options.window), options.window_samples,
      format_duration(options.long_window), options.backoff_permille * 1e-3,
      options.loss_permille * 1e-3);
}

std::string describe(const ThrottleOptions& options) {
  return fmt::format("throttle: multiplier {} over {}, rejects at most {}{}",
                     options.multiplier * 1e-3, format_duration(options.window),
                     options.max_rejection * 1e-6,
                     options.allowance == 0 ? "" : fmt::format(", {} are free", options.allowance));
}

std::string describe(const AdaptiveRateOptions& options) {
  return "adaptive rate: waits at most " + format_duration(options.max_wait);
}

std::string describe(const TokenLimitSpec& spec) {
  const auto action = [&]() -> std::string_view {
    switch (spec.limit.on_too_long) {
      case TokenLimitOptions::OnTooLong::fail:
        return "fails";
      case TokenLimitOptions::OnTooLong::reduce:
        return "is given less output";
      case TokenLimitOptions::OnTooLong::route:
        return "is left to the next route";
    }
    return "";
  };
  return fmt::format(
      "token_limit: {}, what is longer {}, reserve {}, estimates plus {}%",
      spec.window == 0 ? "the model's window" : fmt::format("a window of {}", spec.window),
      action(), spec.limit.reserve, spec.limit.estimate_margin_percent);
}

}  // namespace brownout
