#include "engine/pipeline/layers/token_limit_layer.hpp"

namespace brownout {

Action TokenLimitLayer::enter(Visit& visit, Outcome& outcome) {
  const Request& request = visit.request();
  const TokenNeed need{request.input_tokens, request.tokens_estimated,
                       output_cap(request, visit.limits())};
  const TokenDecision decision = check_tokens(options_, need, window_);
  switch (decision.verdict) {
    case TokenVerdict::fits:
      return Action::down();
    case TokenVerdict::reduce:
      visit.limits().max_tokens = decision.max_tokens;
      return Action::down();
    case TokenVerdict::too_long:
    case TokenVerdict::route:
      break;
  }
  outcome = visit.refuse(OutcomeKind::context_length);
  return Action::turn();
}

}  // namespace brownout
