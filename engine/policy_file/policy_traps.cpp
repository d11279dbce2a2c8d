#include "engine/policy_file/policy_traps.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace brownout {
namespace {

// A layer on the way from the root, as the file spells it.
struct Step {
  std::string_view name;
  const Node::Member* member;
};
using Chain = std::vector<Step>;

struct Trap {
  std::string_view outer;
  std::string_view inner;
  std::string_view message;
  std::string_view note;
};

// Each is about an outer layer that sees what an inner one does. Sources of the war stories:
// docs/museum.md.
constexpr std::array traps{
    Trap{"breaker", "retry", "this breaker counts a whole retry as one failure",
         "put it below the retry: then every attempt counts, and a probe is one attempt"},
    Trap{"retry", "fallback", "this retry repeats every route below it",
         "put a retry into each route: attempts multiply otherwise"},
    Trap{"retry", "retry", "this retry multiplies the attempts of the retry below it",
         "keep one of them"},
    Trap{"bulkhead", "retry", "a call keeps its place in this bulkhead while it waits to retry",
         "put the bulkhead below the retry"},
    Trap{"adaptive_concurrency", "retry",
         "a call keeps its place here while it waits to retry, and the wait counts as latency",
         "put it below the retry"},
    Trap{"rate_limit", "retry", "this rate limit counts a call once, however often it is retried",
         "put it below the retry"},
    Trap{"adaptive_rate", "retry", "this rate counts a call once, however often it is retried",
         "put it below the retry"},
    Trap{"throttle", "retry", "this throttle sees calls, not attempts",
         "put it below the retry: what it must see is what the provider refuses"},
    Trap{"rate_limit", "hedge", "hedges are sent past this rate limit", "put it below the hedge"},
    Trap{"bulkhead", "hedge", "hedges are sent past this bulkhead", "put it below the hedge"},
    Trap{"breaker", "hedge", "this breaker sees one outcome of several copies",
         "put it below the hedge"},
    Trap{"hedge", "fallback", "every copy of this hedge goes through all routes below it",
         "put a hedge into each route"},
    Trap{"breaker", "cache", "this breaker takes cached replies for signs of health",
         "put the cache above it"},
    Trap{"rate_limit", "cache", "cached replies use up this rate limit", "put the cache above it"},
    Trap{"bulkhead", "cache", "cached replies take places in this bulkhead",
         "put the cache above it"},
    Trap{"retry", "cache", "every retry looks into this cache again", "put the cache above it"},
};

bool is_single_flight(const Step& step) {
  if (step.name != "cache") return false;
  const Node* flag = step.member->value.find("single_flight");
  return flag != nullptr && flag->type == Node::Type::boolean && flag->boolean;
}

bool limits_whole(const Step& step) {
  if (step.name != "timeout") return false;
  return step.member->value.find("attempt") != nullptr ||
         step.member->value.find("total") != nullptr;
}

class TrapFinder {
 public:
  explicit TrapFinder(Problems& warnings) : warnings_(warnings) {}

  void walk(const Node& pipeline, Chain chain, bool bounded);

 private:
  void enter(const Chain& outer, const Step& step);
  void check_token_limit(const Chain& outer, const Step& step);
  void at_leaf(const Node& pipeline, const Chain& chain, bool bounded);
  void warn(const Step& step, std::string_view message, std::string_view note);

  Problems& warnings_;
  std::vector<std::pair<std::uint32_t, std::string_view>> told_;  // where, what
};

void TrapFinder::warn(const Step& step, std::string_view message, std::string_view note) {
  const std::pair<std::uint32_t, std::string_view> key{step.member->key_span.begin, message};
  if (std::ranges::find(told_, key) != told_.end()) return;
  told_.push_back(key);
  warnings_.add(*step.member->value.document, step.member->key_span, std::string(message),
                std::string(note));
}

void TrapFinder::enter(const Chain& outer, const Step& step) {
  for (const Trap& trap : traps) {
    if (trap.inner != step.name) continue;
    for (const Step& above : outer) {
      if (above.name == trap.outer) warn(above, trap.message, trap.note);
    }
  }
  if (!limits_whole(step)) return;
  for (auto above = outer.rbegin(); above != outer.rend(); ++above) {
    if (above->name == "retry" || above->name == "fallback") return;
    if (!is_single_flight(*above)) continue;
    warn(*above, "when the call that leads this single flight times out, all its followers fail",
         "put a retry between, or the timeout above: then each caller keeps its own");
  }
}

void TrapFinder::check_token_limit(const Chain& outer, const Step& step) {
  const Node* choice = step.member->value.find("on_too_long");
  if (step.name != "token_limit" || choice == nullptr || choice->text != "route") return;
  if (std::ranges::any_of(outer, [](const Step& above) { return above.name == "fallback"; })) {
    return;
  }
  warn(step, "no route above this token limit leads to a larger window",
       "put it into a route of a fallback that has another one \"for\": [\"context_length\"]");
}

// A pipeline without a fallback at its end leads to a provider.
void TrapFinder::at_leaf(const Node& pipeline, const Chain& chain, bool bounded) {
  if (bounded || std::ranges::any_of(chain, limits_whole)) return;
  if (chain.empty()) {
    warnings_.add(pipeline, "nothing bounds how long a call may take",
                  "add { \"timeout\": { \"attempt\": … } }, or a \"deadline\" to the policy");
    return;
  }
  warn(chain.back(), "nothing bounds how long an attempt may take",
       "add { \"timeout\": { \"attempt\": … } } below, or a \"deadline\" to the policy");
}

void TrapFinder::walk(const Node& pipeline, Chain chain, bool bounded) {
  for (const Node& layer : pipeline.items) {
    const Node::Member& member = layer.members.front();
    const Step step{member.key, &member};
    enter(chain, step);
    check_token_limit(chain, step);
    chain.push_back(step);
    if (member.key != "fallback") continue;
    for (const Node& route : member.value.find("routes")->items) {
      walk(*route.find("pipeline"), chain, bounded);
    }
    return;
  }
  at_leaf(pipeline, chain, bounded);
}

}  // namespace

Problems find_traps(const Policy& policy) {
  Problems warnings;
  const Node& root = policy.document->root();
  TrapFinder(warnings).walk(*root.find("pipeline"), {}, root.find("deadline") != nullptr);
  return warnings;
}

void refuse_impossible_orders(const Node& pipeline, Problems& problems) {
  const Node::Member* hedge = nullptr;
  for (const Node& layer : pipeline.items) {
    if (layer.type != Node::Type::object || layer.members.size() != 1) continue;
    const Node::Member& member = layer.members.front();
    if (member.key == "hedge") hedge = &member;
    if (hedge == nullptr || !is_single_flight({member.key, &member})) continue;
    problems.add(*member.value.find("single_flight"),
                 "a hedge below which calls share one flight never asks anybody",
                 "put the cache above the hedge");
  }
}

}  // namespace brownout
