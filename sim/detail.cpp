#include "sim/detail.hpp"

#include "engine/pipeline/shared_budget.hpp"

namespace brownout::sim {

Detail::Detail(Duration scenario_duration, const mock::ScriptedProvider* provider,
               const Pipeline& pipeline, Observer* next)
    : timeline_(scenario_duration), observers_({&timeline_, &sampler_, next}) {
  const std::size_t models = provider != nullptr ? provider->script().models.size() : 0;
  for (std::size_t i = 0; i < models; ++i) {
    const auto model = static_cast<mock::ModelId>(i);
    add_quotas(*provider, model);
    add_queue(*provider, model);
  }
  for (const Pipeline::BudgetInfo& info : pipeline.budgets()) {
    levels_.push_back({timeline_.add_level({"budget", info.name, "thousandths", {}, {}}),
                       [budget = info.budget](Instant at) { return budget->level(at); }});
  }
}

// Named as in the scenario.
void Detail::add_quotas(const mock::ScriptedProvider& provider, mock::ModelId model) {
  const std::string& name = provider.script().models[model].full_name;
  for (const auto& [limit, kind] : std::initializer_list<std::pair<const char*, mock::LimitKind>>{
           {"rpm", mock::LimitKind::requests},
           {"tpm", mock::LimitKind::tokens},
           {"itpm", mock::LimitKind::input_tokens},
           {"otpm", mock::LimitKind::output_tokens}}) {
    const mock::Bucket* bucket = provider.bucket(model, kind);
    if (bucket == nullptr) continue;
    levels_.push_back(
        {timeline_.add_level({"quota", name + " " + limit, "count", bucket->limit(), {}}),
         [bucket](Instant at) { return bucket->remaining(at); }});
  }
}

void Detail::add_queue(const mock::ScriptedProvider& provider, mock::ModelId model) {
  const mock::ModelSpec& spec = provider.script().models[model];
  if (!spec.limits.concurrent) return;
  levels_.push_back(
      {timeline_.add_level({"queue", spec.full_name, "count", {}, {}}),
       [&provider, model](Instant) { return static_cast<std::int64_t>(provider.queued(model)); }});
}

void Detail::read_levels(Instant at) {
  const auto bucket = static_cast<std::size_t>((at - Instant{}) / width()) - 1;
  for (const Level& level : levels_) timeline_.set_level(level.number, bucket, level.read(at));
}

void Detail::report(RunResult& result) const {
  result.timeline = timeline_.finish();
  result.samples = sampler_.finish();
}

}  // namespace brownout::sim
