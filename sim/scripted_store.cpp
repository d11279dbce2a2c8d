#include "sim/scripted_store.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace brownout::sim {
namespace {

constexpr JobName answer_job{"stored reply"};
constexpr std::size_t most_faults = 10'000;

class StoreReader {
 public:
  StoreReader(Duration scenario_duration, Problems& problems, StoreSpec& spec)
      : scenario_duration_(scenario_duration), problems_(problems), spec_(spec) {}

  void read(const Node& node) {
    ObjectReader object(node, problems_);
    object.optional("latency", [&](const Node& value) { read_latency(value, spec_.latency); });
    object.optional("faults", [&](const Node& value) {
      read_array(value, problems_, [&](const Node& item) { read_fault(item); });
      if (value.items.size() > most_faults) {
        problems_.add(value, fmt::format("a store has at most {} faults", most_faults));
      }
    });
    object.finish();
  }

 private:
  void read_latency(const Node& node, mock::Distribution& latency) {
    mock::read_distribution(node, problems_, mock::Unit::duration, latency);
  }

  void read_fault(const Node& node) {
    StoreFault fault;
    ObjectReader object(node, problems_);
    const Node* from = object.required("from");
    const Node* until = object.required("until");
    const bool has_from = from != nullptr && read_duration(*from, problems_, fault.from);
    const bool has_until = until != nullptr && read_duration(*until, problems_, fault.until);
    std::size_t mode = 1;
    const bool has_mode = object.required("mode", [&](const Node& value) {
      read_word(value, problems_, {"slow", "dead"}, mode);
    });
    fault.mode = mode == 0 ? StoreFault::Mode::slow : StoreFault::Mode::dead;
    if (has_mode && fault.mode == StoreFault::Mode::slow) {
      object.required("latency", [&](const Node& value) { read_latency(value, fault.latency); });
    } else if (const Node* latency = object.optional("latency"); latency != nullptr && has_mode) {
      problems_.add(*latency, "\"latency\" has no effect on a store that is dead",
                    "only slow stores have one");
    }
    object.finish();
    if (has_from && has_until) check_times(*from, *until, fault);
    spec_.faults.push_back(std::move(fault));
  }

  void check_times(const Node& from, const Node& until, const StoreFault& fault) {
    const Duration before = spec_.faults.empty() ? Duration{0} : spec_.faults.back().until;
    if (fault.from < before) {
      problems_.add(from,
                    fmt::format("the fault begins at {} but the one before it ends at {}",
                                format_duration(fault.from), format_duration(before)),
                    "faults of a store stand in order of time and do not overlap");
    }
    if (fault.until <= fault.from) {
      problems_.add(until,
                    fmt::format("the fault ends at {} but begins at {}",
                                format_duration(fault.until), format_duration(fault.from)),
                    "\"until\" counts from the scenario's start");
    } else if (fault.until > scenario_duration_) {
      problems_.add(
          until, fmt::format("{} is after the end of the scenario", format_duration(fault.until)),
          fmt::format("it ends at {}", format_duration(scenario_duration_)));
    }
  }

  const Duration scenario_duration_;
  Problems& problems_;
  StoreSpec& spec_;
};

}  // namespace

void read_store(const Node& node, Duration scenario_duration, Problems& problems, StoreSpec& spec) {
  StoreReader(scenario_duration, problems, spec).read(node);
}

class ScriptedStore::Pending final : public Timer, public WaitingLookup<ScriptedStore::Pending> {
 public:
  explicit Pending(ScriptedStore& store) : Timer(answer_job), store_(store) {}

  void fire() override {
    ScriptedStore& store = store_;
    ReplyLookup& waits = store.waiting_.remove(*this);
    const CacheKey sought = key;
    store.free_.push_back(this);
    store.store_.get(sought, waits);
  }

  CacheKey key{};

 private:
  ScriptedStore& store_;
};

ScriptedStore::ScriptedStore(Runtime& runtime, ReplyStore& store, const StoreSpec& spec)
    : runtime_(runtime),
      store_(store),
      spec_(spec),
      draws_(runtime.seed(), Purpose::store_latency, "store") {}

ScriptedStore::~ScriptedStore() {
  for (const auto& pending : pending_) runtime_.disarm(*pending);
}

void ScriptedStore::get(const CacheKey& key, ReplyLookup& lookup) {
  const Instant now = runtime_.now();
  const StoreFault* fault = fault_at(now);
  if (fault != nullptr && fault->mode == StoreFault::Mode::dead) return;
  Draws draws = draws_.at(static_cast<std::uint64_t>(now.time_since_epoch().count()),
                          static_cast<std::uint32_t>(key.low));
  const Duration takes{(fault != nullptr ? fault->latency : spec_.latency).draw(draws)};
  if (takes == Duration{0}) return store_.get(key, lookup);
  Pending& pending = acquire();
  pending.key = key;
  waiting_.add(pending, lookup);
  runtime_.arm(pending, after(now, takes));
}

void ScriptedStore::cancel(ReplyLookup& lookup) {
  Pending* const pending = waiting_.find(lookup);
  if (pending == nullptr) return;
  waiting_.remove(*pending);
  runtime_.disarm(*pending);
  free_.push_back(pending);
}

void ScriptedStore::put(const CacheKey& key, const Reply& reply, Instant now, Duration keep_for) {
  const StoreFault* fault = fault_at(runtime_.now());
  if (fault != nullptr && fault->mode == StoreFault::Mode::dead) return;
  store_.put(key, reply, now, keep_for);
}

const StoreFault* ScriptedStore::fault_at(Instant now) const {
  const Duration since_start = now - Instant{};
  const auto later = std::ranges::upper_bound(spec_.faults, since_start, {}, &StoreFault::from);
  if (later == spec_.faults.begin()) return nullptr;
  const StoreFault& last = *std::prev(later);
  return since_start < last.until ? &last : nullptr;
}

ScriptedStore::Pending& ScriptedStore::acquire() {
  if (free_.empty()) {
    pending_.push_back(std::make_unique<Pending>(*this));
    free_.reserve(pending_.size());
    return *pending_.back();
  }
  Pending& pending = *free_.back();
  free_.pop_back();
  return pending;
}

}  // namespace brownout::sim
