// Which failure an error is: data, one table per dialect. The first row that fits decides, so the
// more special ones come first.

#include <algorithm>
#include <array>
#include <span>

#include "engine/transport/http/dialect.hpp"

namespace brownout::http {
namespace {

using enum OutcomeKind;

/// 0 and empty texts fit everything. 200: inside a stream or a 200 reply only, where no status says
/// what kind of error it is.
struct ErrorRow {
  std::uint16_t status = 0;
  std::string_view type{};
  std::string_view code{};
  std::string_view text{};  ///< occurs in the body, in lower case
  OutcomeKind kind{};
};

constexpr std::array openai_errors{
    ErrorRow{.type = "insufficient_quota", .kind = quota_exhausted},
    ErrorRow{.code = "insufficient_quota", .kind = quota_exhausted},
    ErrorRow{.code = "credit_balance_exhausted", .kind = quota_exhausted},
    ErrorRow{.code = "organization_spend_limit_exceeded", .kind = quota_exhausted},
    ErrorRow{.code = "project_spend_limit_exceeded", .kind = quota_exhausted},
    ErrorRow{.code = "organization_usage_limit_exceeded", .kind = quota_exhausted},
    ErrorRow{.code = "billing_hard_limit_reached", .kind = quota_exhausted},
    ErrorRow{.code = "billing_not_active", .kind = quota_exhausted},
    ErrorRow{.code = "slow_down", .kind = slow_down},
    ErrorRow{.status = 429, .text = "request too large for", .kind = request_too_large},
    ErrorRow{.status = 429, .text = "requests per day", .kind = daily_limited},
    ErrorRow{.status = 429, .text = "tokens per day", .kind = daily_limited},
    ErrorRow{.status = 429, .text = "perday", .kind = daily_limited},
    ErrorRow{.status = 429, .text = "exceeded your current quota", .kind = quota_exhausted},
    ErrorRow{.status = 429, .text = "currently overloaded", .kind = overloaded},
    ErrorRow{.status = 429, .text = "still being loaded", .kind = overloaded},
    ErrorRow{.code = "server_is_overloaded", .kind = overloaded},
    ErrorRow{.type = "service_unavailable_error", .kind = overloaded},
    ErrorRow{.type = "overloaded_error", .kind = overloaded},
    ErrorRow{.status = 503, .text = "overloaded", .kind = overloaded},
    ErrorRow{.code = "context_length_exceeded", .kind = context_length},
    ErrorRow{.status = 400, .text = "maximum context length", .kind = context_length},
    ErrorRow{.code = "content_filter", .kind = content_policy},
    ErrorRow{.code = "content_policy_violation", .kind = content_policy},
    ErrorRow{.code = "invalid_prompt", .kind = content_policy},
    ErrorRow{.status = 200, .text = "request too large for", .kind = request_too_large},
    ErrorRow{.status = 200, .text = "requests per day", .kind = daily_limited},
    ErrorRow{.status = 200, .text = "tokens per day", .kind = daily_limited},
    ErrorRow{.status = 200, .code = "rate_limit_exceeded", .kind = rate_limited},
    ErrorRow{.status = 200, .type = "rate_limit_error", .kind = rate_limited},
    ErrorRow{.status = 200, .code = "invalid_api_key", .kind = authentication},
    ErrorRow{.status = 200, .type = "request_forbidden", .kind = permission},
    ErrorRow{.status = 200, .code = "model_not_found", .kind = not_found},
    ErrorRow{.status = 200, .type = "bad_gateway", .kind = bad_gateway},
    ErrorRow{.status = 200, .type = "invalid_request_error", .kind = invalid_request},
};

constexpr std::array anthropic_errors{
    ErrorRow{.code = "enforced_spend_limit_reached", .kind = quota_exhausted},
    ErrorRow{.type = "billing_error", .kind = quota_exhausted},
    ErrorRow{.text = "reached your specified api usage limits", .kind = quota_exhausted},
    ErrorRow{.text = "credit balance is too low", .kind = quota_exhausted},
    ErrorRow{.code = "ramp_limit_exceeded", .kind = slow_down},
    ErrorRow{.type = "rate_limit_error", .text = "usage increase rate", .kind = slow_down},
    ErrorRow{.type = "rate_limit_error", .text = "daily rate limit", .kind = daily_limited},
    ErrorRow{.type = "overloaded_error", .kind = overloaded},
    ErrorRow{.type = "request_too_large", .kind = request_too_large},
    ErrorRow{.status = 400, .text = "prompt is too long", .kind = context_length},
    ErrorRow{.status = 400, .text = "exceed context limit", .kind = context_length},
    ErrorRow{.status = 400, .text = "content filtering policy", .kind = content_policy},
    ErrorRow{.status = 200, .type = "rate_limit_error", .kind = rate_limited},
    ErrorRow{.status = 200, .type = "timeout_error", .kind = bad_gateway},
    ErrorRow{.status = 200, .type = "bad_gateway", .kind = bad_gateway},
    ErrorRow{.status = 200, .type = "authentication_error", .kind = authentication},
    ErrorRow{.status = 200, .type = "permission_error", .kind = permission},
    ErrorRow{.status = 200, .type = "not_found_error", .kind = not_found},
    ErrorRow{.status = 200, .text = "prompt is too long", .kind = context_length},
    ErrorRow{.status = 200, .text = "content filtering policy", .kind = content_policy},
    ErrorRow{.status = 200, .type = "invalid_request_error", .kind = invalid_request},
};

/// What a status means when the body says nothing more; the last row that begins at or below it.
struct StatusRow {
  std::uint16_t from;
  OutcomeKind kind;
};
constexpr std::array statuses{
    StatusRow{0, malformed_reply},    // a change of protocol that nobody asked for
    StatusRow{200, server_error},     // inside a reply
    StatusRow{300, malformed_reply},  // no provider redirects, and nobody is followed with a key
    StatusRow{400, invalid_request},   StatusRow{401, authentication},
    StatusRow{402, quota_exhausted},   StatusRow{403, permission},
    StatusRow{404, not_found},         StatusRow{405, invalid_request},
    StatusRow{413, request_too_large}, StatusRow{414, invalid_request},
    StatusRow{429, rate_limited},      StatusRow{430, invalid_request},
    StatusRow{500, server_error},      StatusRow{502, bad_gateway},
    StatusRow{503, server_error},      StatusRow{504, bad_gateway},
    StatusRow{505, server_error},      StatusRow{520, bad_gateway},
    StatusRow{529, overloaded},        StatusRow{530, bad_gateway},
    StatusRow{531, server_error},
};

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool occurs(std::string_view needle, std::string_view text) {
  const auto found = std::search(text.begin(), text.end(), needle.begin(), needle.end(),
                                 [](char a, char b) { return lower(a) == b; });
  return found != text.end();
}

bool fits(const ErrorRow& row, const ErrorFacts& error) {
  return (row.status == 0 || row.status == error.status) &&
         (row.type.empty() || row.type == error.type) &&
         (row.code.empty() || row.code == error.code) &&
         (row.text.empty() || occurs(row.text, error.text));
}

OutcomeKind by_status(std::uint16_t status) {
  const auto* row = statuses.begin();
  while (row + 1 != statuses.end() && (row + 1)->from <= status) ++row;
  return row->kind;
}

}  // namespace

OutcomeKind classify_error(Dialect dialect, const ErrorFacts& error) {
  // Providers answer in JSON: whoever sent a page stood before them.
  if (error.html && error.status >= 500) return bad_gateway;
  std::span<const ErrorRow> rows = openai_errors;
  if (dialect == Dialect::anthropic) rows = anthropic_errors;
  for (const ErrorRow& row : rows) {
    if (!error.html && fits(row, error)) return row.kind;
  }
  return by_status(error.status);
}

}  // namespace brownout::http
