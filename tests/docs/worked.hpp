#pragma once

// Sequences of numbers as the pages work them out, told by the machines themselves: options through
// the loader, what happens as the page's comment lists it, one line for each step.

#include <string>
#include <string_view>

#include "engine/core/document.hpp"
#include "engine/policy_file/policy.hpp"

namespace brownout::docs {

/// The text of the block under `<!-- check: MACHINE {input} -->`, without "check: ". A comment that
/// does not fit fails the test and gives an empty text.
std::string work_out(const std::string& comment);

/// What a comment says besides its machine.
class Input {
 public:
  explicit Input(const Node& root) : root_(root) {}

  const Node& at(std::string_view key) const;
  const std::vector<Node>& list(std::string_view key) const { return at(key).items; }
  bool has(std::string_view key) const { return root_.find(key) != nullptr; }

  /// The value as the comment spells it.
  std::string source(std::string_view key) const;

 private:
  const Node& root_;
};

Duration duration_of(const Node& node);
Instant instant_of(const Node& node);
std::int64_t number_of(const Node& node);

/// "server_error", with a hint after a blank: "rate_limited 20s".
Outcome outcome_of(std::string_view words);
std::string time_text(Instant at);

/// The policy with this pipeline, which must load.
Policy policy_with(std::string_view pipeline);

/// The options of the only layer `name`, as the loader reads them.
template <class Options>
Options options_of(std::string_view name, const Input& input) {
  const Policy policy =
      policy_with("[{\"" + std::string(name) + "\":" + input.source("options") + "}]");
  return std::get<Options>(policy.pipeline.at(0));
}

// One for each machine; see docs/policies for what they are given.
std::string work_out_backoff(const Input& input);
std::string work_out_retry(const Input& input);
std::string work_out_hint(const Input& input);
std::string work_out_hint_reading(const Input& input);
std::string work_out_budget(const Input& input);
std::string work_out_breaker(const Input& input);
std::string work_out_rate_limit(const Input& input);
std::string work_out_bulkhead(const Input& input);
std::string work_out_adaptive_concurrency(const Input& input);
std::string work_out_adaptive_rate(const Input& input);
std::string work_out_throttle(const Input& input);
std::string work_out_timeout(const Input& input);
std::string work_out_hedge(const Input& input);
std::string work_out_fallback(const Input& input);
std::string work_out_cache(const Input& input);
std::string work_out_token_limit(const Input& input);

}  // namespace brownout::docs
