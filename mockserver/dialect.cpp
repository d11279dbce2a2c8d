#include "mockserver/dialect.hpp"

#include <fmt/format.h>

#include <array>

#include "engine/core/check.hpp"

namespace brownout::mock {
namespace {

using ErrorTable = std::array<ErrorShape, outcome_kind_count>;

constexpr std::string_view html_page =
    "<html>\r\n<head><title>{status}</title></head>\r\n"
    "<body>\r\n<center><h1>{status}</h1></center>\r\n</body>\r\n</html>\r\n";

// Rows are in the order of OutcomeKind. timed_out, cancelled and what is decided on the client's
// side are never a provider's doing and have empty rows.

constexpr ErrorTable openai_errors{{
    {.status = 200},
    {429, "tokens", "rate_limit_exceeded", "",
     "Rate limit reached for {model} in organization org-brownout. {try_again}Visit "
     "https://platform.openai.com/account/rate-limits to learn more.",
     true},
    {429, "rate_limit_error", "slow_down", "",
     "Traffic to {model} grew too quickly. Please reduce your request rate to its original level, "
     "hold it for at least 15 minutes, and then increase it gradually."},
    {429, "tokens", "rate_limit_exceeded", "",
     "Request too large for {model} in organization org-brownout. The input or output tokens must "
     "be reduced in order to run successfully. Visit "
     "https://platform.openai.com/account/rate-limits to learn more."},
    {429, "insufficient_quota", "insufficient_quota", "",
     "You exceeded your current quota, please check your plan and billing details. For more "
     "information on this error, read the docs: "
     "https://platform.openai.com/docs/guides/error-codes/api-errors."},
    {429, "requests", "rate_limit_exceeded", "",
     "Rate limit reached for {model} in organization org-brownout on requests per day (RPD). "
     "{try_again}Visit https://platform.openai.com/account/rate-limits to learn more."},
    {503, "service_unavailable_error", "server_is_overloaded", "",
     "The engine is currently overloaded, please try again later"},
    {500, "server_error", "", "",
     "The server had an error while processing your request. Sorry about that!"},
    {502, "bad_gateway", "", "", html_page},
    {.status = 0},
    {.status = 0},
    {.status = 200},
    {.status = 200},
    {401, "invalid_request_error", "invalid_api_key", "",
     "Incorrect API key provided: sk-brownout. You can find your API key at "
     "https://platform.openai.com/account/api-keys."},
    {403, "request_forbidden", "unsupported_country_region_territory", "",
     "Country, region, or territory not supported"},
    {404, "invalid_request_error", "model_not_found", "",
     "The model '{model}' does not exist or you do not have access to it."},
    {400, "invalid_request_error", "context_length_exceeded", "messages",
     "This model's maximum context length is exceeded. Your messages resulted in {tokens} tokens. "
     "Please reduce the length of the messages."},
    {400, "invalid_request_error", "content_policy_violation", "",
     "Your request was rejected as a result of our safety system."},
    {400, "invalid_request_error", "", "", "The request is invalid."},
    {.status = 0},
    {.status = 0},
    {.status = 0},
}};

constexpr ErrorTable anthropic_errors{{
    {.status = 200},
    {429, "rate_limit_error", "", "",
     "This request would exceed your organization's rate limit (org: org-brownout, model: "
     "{model}). For details, refer to: https://docs.claude.com/en/api/rate-limits.",
     true},
    {429, "rate_limit_error", "ramp_limit_exceeded", "",
     "This request would exceed your organization's maximum usage increase rate (org: "
     "org-brownout, model: {model}). For details, refer to: "
     "https://docs.claude.com/en/api/rate-limits."},
    {413, "request_too_large", "", "", "Request exceeds the maximum size"},
    {429, "rate_limit_error", "enforced_spend_limit_reached", "",
     "You have reached your API usage limits: your organization has crossed its monthly API usage "
     "threshold."},
    {429, "rate_limit_error", "", "",
     "This request would exceed your organization's daily rate limit (org: org-brownout, model: "
     "{model}). For details, refer to: https://docs.claude.com/en/api/rate-limits."},
    {529, "overloaded_error", "", "", "Overloaded"},
    {500, "api_error", "", "", "Internal server error"},
    {502, "bad_gateway", "", "", html_page},
    {.status = 0},
    {.status = 0},
    {.status = 200},
    {.status = 200},
    {401, "authentication_error", "", "", "invalid x-api-key"},
    {403, "permission_error", "", "",
     "Your API key does not have permission to use the specified resource"},
    {404, "not_found_error", "", "", "model: {model}"},
    {400, "invalid_request_error", "", "", "prompt is too long: {tokens} tokens"},
    {400, "invalid_request_error", "", "", "Output blocked by content filtering policy"},
    {400, "invalid_request_error", "", "", "The request is invalid."},
    {.status = 0},
    {.status = 0},
    {.status = 0},
}};

// What the tables say of a limit that was really hit, numbers included.

constexpr std::string_view openai_limit_reached =
    "Rate limit reached for {model} in organization org-brownout on {metric}: Limit {limit}, Used "
    "{used}, Requested {requested}. {try_again}Visit "
    "https://platform.openai.com/account/rate-limits to learn more.";
constexpr std::string_view openai_too_large =
    "Request too large for {model} in organization org-brownout on {metric}: Limit {limit}, "
    "Requested {requested}. The input or output tokens must be reduced in order to run "
    "successfully. Visit https://platform.openai.com/account/rate-limits to learn more.";
constexpr std::string_view anthropic_limit_reached =
    "This request would exceed your organization's rate limit of {grouped_limit} {metric} (org: "
    "org-brownout, model: {model}). For details, refer to: "
    "https://docs.claude.com/en/api/rate-limits. You can see the response headers for current "
    "usage.";

constexpr std::array<Accounting, 2> accountings{{
    {.reserves_max_tokens = true,
     .refused_requests_count = true,
     .retry_after_grain = std::chrono::milliseconds{1}},
    {.reserves_max_tokens = false,
     .refused_requests_count = false,
     .retry_after_grain = std::chrono::seconds{1}},
}};

const ErrorTable& errors(DialectId id) {
  return id == DialectId::openai ? openai_errors : anthropic_errors;
}

bool is_bucket(LimitKind limit) {
  return limit != LimitKind::none && limit != LimitKind::concurrency;
}

std::string_view metric(DialectId id, LimitKind limit) {
  const bool openai = id == DialectId::openai;
  switch (limit) {
    case LimitKind::requests:
      return openai ? "requests per min (RPM)" : "requests per minute";
    case LimitKind::tokens:
      return openai ? "tokens per min (TPM)" : "tokens per minute";
    case LimitKind::input_tokens:
      return "input tokens per minute";
    case LimitKind::output_tokens:
      return "output tokens per minute";
    case LimitKind::none:
    case LimitKind::concurrency:
      break;
  }
  return "";
}

// 30000 -> "30,000", whatever the locale.
std::string grouped(std::int64_t number) {
  std::string text = fmt::format("{}", number);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3) {
    text.insert(static_cast<std::size_t>(at), 1, ',');
  }
  return text;
}

// The wait that a message tells, if it tells one.
std::optional<Duration> wait_of(const ErrorFacts& facts) {
  std::optional<Duration> wait = facts.retry_after;
  if (is_bucket(facts.hit.limit)) wait = facts.hit.refusal.wait;
  if (wait && *wait == forever) wait.reset();
  return wait;
}

std::string try_again(const ErrorFacts& facts) {
  const auto wait = wait_of(facts);
  if (!wait) return {};
  const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(*wait);
  return "Please try again in " + go_duration(rounded) + ". ";
}

// Gemini's words, which are in nanoseconds and without hours.
std::string retry_in(const ErrorFacts& facts) {
  const auto wait = wait_of(facts);
  if (!wait) return {};
  const std::int64_t ns = wait->count();
  return fmt::format("Please retry in {}.{:09}s.", ns / 1'000'000'000, ns % 1'000'000'000);
}

// Azure's, in whole seconds. A day where nothing is known: the captured message of a daily quota.
std::int64_t retry_seconds(const ErrorFacts& facts) {
  const auto wait = wait_of(facts);
  if (wait) return std::chrono::ceil<std::chrono::seconds>(*wait).count();
  return facts.kind == OutcomeKind::daily_limited ? 86'400 : 1;
}

}  // namespace

std::string_view to_string(DialectId id) {
  return dialect_names()[static_cast<std::size_t>(id)];
}

const std::vector<std::string_view>& dialect_names() {
  static const std::vector<std::string_view> names{"openai", "anthropic"};
  return names;
}

const Accounting& accounting(DialectId id) {
  return accountings[static_cast<std::size_t>(id)];
}

ErrorShape error_shape(DialectId id, OutcomeKind kind, LimitKind limit) {
  ErrorShape shape = errors(id)[static_cast<std::size_t>(kind)];
  if (!is_bucket(limit)) return shape;
  const bool too_large = kind == OutcomeKind::request_too_large;
  if (id == DialectId::openai) {
    shape.message = too_large ? openai_too_large : openai_limit_reached;
    shape.type = limit == LimitKind::requests ? "requests" : "tokens";
    return shape;
  }
  // 413 is about bytes; a prompt above the limit of tokens is a 429 like every other.
  shape = errors(id)[static_cast<std::size_t>(OutcomeKind::rate_limited)];
  shape.message = anthropic_limit_reached;
  return shape;
}

std::string error_message(DialectId id, const ErrorFacts& facts) {
  return error_message(id, error_shape(id, facts.kind, facts.hit.limit), facts);
}

std::string error_message(DialectId id, const ErrorShape& shape, const ErrorFacts& facts) {
  const Refusal& refusal = facts.hit.refusal;
  return fmt::format(fmt::runtime(shape.message),                                       //
                     fmt::arg("model", facts.model),                                    //
                     fmt::arg("metric", metric(id, facts.hit.limit)),                   //
                     fmt::arg("limit", refusal.limit),                                  //
                     fmt::arg("limit_or_20", refusal.limit != 0 ? refusal.limit : 20),  //
                     fmt::arg("grouped_limit", grouped(refusal.limit)),                 //
                     fmt::arg("used", refusal.used),                                    //
                     fmt::arg("requested", refusal.requested),                          //
                     fmt::arg("try_again", try_again(facts)),                           //
                     fmt::arg("retry_in", retry_in(facts)),                             //
                     fmt::arg("retry_seconds", retry_seconds(facts)),                   //
                     fmt::arg("tokens", facts.input_tokens),                            //
                     fmt::arg("status", facts.status != 0 ? facts.status : shape.status));
}

std::string go_duration(Duration duration) {
  using namespace std::chrono;
  const std::int64_t ns = duration.count();
  BROWNOUT_CHECK(ns >= 0);
  if (ns == 0) return "0s";
  // `whole` units of `unit` ns and a fraction, without trailing zeros.
  const auto fraction = [](std::int64_t value, std::int64_t unit) {
    std::string text = fmt::format("{}", value / unit);
    std::int64_t rest = value % unit;
    if (rest == 0) return text;
    text += '.';
    for (std::int64_t digit = unit / 10; rest > 0; rest %= digit, digit /= 10) {
      text += static_cast<char>('0' + rest / digit);
    }
    return text;
  };
  if (ns < 1'000) return fmt::format("{}ns", ns);
  if (ns < 1'000'000) return fraction(ns, 1'000) + "\u00B5s";
  if (ns < 1'000'000'000) return fraction(ns, 1'000'000) + "ms";
  const std::int64_t minutes_total = duration_cast<minutes>(duration).count();
  std::string text;
  if (minutes_total >= 60) text += fmt::format("{}h", minutes_total / 60);
  if (minutes_total > 0) text += fmt::format("{}m", minutes_total % 60);
  return text + fraction(ns - minutes_total * 60'000'000'000, 1'000'000'000) + "s";
}

}  // namespace brownout::mock
