// A "hedge" layer: its delay, fixed or learned, and the budget of its hedges.

#include "engine/core/document_text.hpp"
#include "engine/policy_file/policy_options.hpp"

namespace brownout {
namespace {

// The quantile that is learned, from what, and the bounds of what comes of it.
void read_learned_delay(const Node& node, Problems& problems, HedgeOptions& options) {
  options.kind = HedgeOptions::Delay::learned;
  ObjectReader object(node, problems);
  object.optional("quantile", [&](const Node& value) {
    double quantile = 0;
    if (read_number(value, problems, quantile, 0.5, 0.999)) {
      read_per_mille(value, problems, options.per_mille, 1);
    }
  });
  object.optional("window", [&](const Node& value) {
    read_duration(value, problems, options.samples.window, std::chrono::seconds{1},
                  std::chrono::hours{24});
  });
  object.optional("min_samples", [&](const Node& value) {
    read_count(value, problems, options.samples.min_samples, 1, 1'000'000);
  });
  object.optional("min", [&](const Node& value) { read_duration(value, problems, options.floor); });
  object.optional("max", [&](const Node& value) {
    read_duration(value, problems, options.ceiling, Duration{1});
  });
  object.finish();
  const Node* min = node.find("min");
  if (options.floor <= options.ceiling) return;
  problems.add(min != nullptr ? *min : *node.find("max"), "\"min\" is greater than \"max\"",
               min != nullptr ? "" : "\"min\" is 1ms unless the file says otherwise");
  options.ceiling = options.floor;
}

void read_delay(const Node& node, Problems& problems, HedgeOptions& options) {
  if (node.type == Node::Type::object) return read_learned_delay(node, problems, options);
  read_duration(node, problems, options.delay);
}

void read_hedge_budget(const Node& node, Problems& problems, HedgeBudgetOptions& options) {
  ObjectReader object(node, problems);
  object.optional(
      "percent", [&](const Node& value) { read_count(value, problems, options.percent, 0, 1000); });
  object.optional("burst", [&](const Node& value) {
    read_count(value, problems, options.burst, 1, HedgeBudgetOptions::burst_max);
  });
  object.optional("floor_per_minute", [&](const Node& value) {
    read_count(value, problems, options.floor_per_minute, 0, 1'000'000);
  });
  object.finish();
}

}  // namespace

void read_hedge(const Node& node, Problems& problems, HedgeOptions& options,
                HedgeBudgetOptions& budget) {
  ObjectReader object(node, problems);
  object.optional("delay", [&](const Node& value) { read_delay(value, problems, options); });
  object.optional("max_hedges", [&](const Node& value) {
    std::uint32_t hedges = 0;
    read_count(value, problems, hedges, 1, HedgeOptions::max_hedges_max);
    if (hedges != 0) options.max_hedges = static_cast<std::uint8_t>(hedges);
  });
  object.optional("on_failure", [&](const Node& value) {
    std::size_t word = 0;
    if (read_word(value, problems, {"hedge_at_once", "wait_for_others"}, word)) {
      options.on_failure = static_cast<HedgeOptions::OnFailure>(word);
    }
  });
  object.optional("on", [&](const Node& value) { read_outcomes(value, problems, options.on); });
  object.optional("budget", [&](const Node& value) { read_hedge_budget(value, problems, budget); });
  object.finish();
}

}  // namespace brownout
