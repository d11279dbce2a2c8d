#include "mockserver/plan.hpp"

#include <algorithm>

#include "engine/core/check.hpp"

namespace brownout::mock {
namespace {

__extension__ using Wide = __int128;

}  // namespace

Duration token_at(const Plan& plan, std::uint32_t k) {
  BROWNOUT_CHECK(k < plan.output_tokens);
  if (k == 0) return plan.first_token;
  const Wide span = (plan.last_token - plan.first_token).count();
  return plan.first_token +
         Duration{static_cast<std::int64_t>(span * k / (plan.output_tokens - 1))};
}

std::uint32_t tokens_generated(const Plan& plan, Duration elapsed) {
  if (!plan.generates || plan.delivered_tokens == 0 || elapsed < plan.first_token) return 0;
  if (elapsed >= plan.last_token) return plan.delivered_tokens;
  // The number of k with token_at(k) <= elapsed, its rounding down included.
  const Wide gaps = Wide{plan.output_tokens} - 1;
  const Wide span = (plan.last_token - plan.first_token).count();
  const Wide passed = (elapsed - plan.first_token).count();
  const auto count = static_cast<std::uint32_t>(((passed + 1) * gaps + span - 1) / span);
  return std::min(count, plan.delivered_tokens);
}

}  // namespace brownout::mock
