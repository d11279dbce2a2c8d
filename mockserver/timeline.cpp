// The loader of a scenario's `timeline`: phases, and what their faults come to together.

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "mockserver/fault_reader.hpp"
#include "mockserver/script.hpp"

namespace brownout::mock {
namespace {

constexpr std::size_t most_faults = 10'000;

class TimelineReader {
 public:
  TimelineReader(Duration scenario_duration, Problems& problems, Script& script)
      : scenario_duration_(scenario_duration), problems_(problems), script_(script) {}

  void read(const Node& node) {
    if (!read_array(node, problems_, [&](const Node& item) { read_phase(item); })) return;
    if (node.items.empty()) {
      problems_.add(node, "a timeline needs at least one phase");
      return;
    }
    check_last(node.items.back());
    if (script_.fault_count() > most_faults) {
      problems_.add(node, fmt::format("a timeline has at most {} faults", most_faults));
    }
  }

 private:
  void read_phase(const Node& node) {
    PhaseSpec phase;
    phase.begin = script_.phases.empty() ? Duration{0} : script_.phases.back().until;
    phase.until = phase.begin;
    phase.first_fault = static_cast<FaultId>(std::min(script_.fault_count(), most_faults));
    ObjectReader object(node, problems_);
    object.required("phase", [&](const Node& value) { read_name(value, phase.name); });
    object.required("until", [&](const Node& value) { read_until(value, phase); });
    object.optional("faults", [&](const Node& value) {
      read_array(value, problems_, [&](const Node& item) {
        phase.faults.push_back(read_fault(item, script_, problems_));
      });
      check_shares(value, phase);
    });
    object.finish();
    script_.phases.push_back(std::move(phase));
  }

  void read_name(const Node& node, std::string& out) {
    if (!brownout::read_name(node, problems_, out)) return;
    if (!names_.insert(out).second) {
      problems_.add(node, fmt::format("there is a phase \"{}\" already", out));
    }
  }

  void read_until(const Node& node, PhaseSpec& phase) {
    Duration until{};
    if (!read_duration(node, problems_, until)) return;
    if (until <= phase.begin) {
      problems_.add(node,
                    fmt::format("the phase ends at {} but begins at {}", format_duration(until),
                                format_duration(phase.begin)),
                    "\"until\" counts from the scenario's start");
      return;
    }
    phase.until = until;
  }

  void check_last(const Node& node) {
    const Node* until = node.find("until");
    const PhaseSpec& last = script_.phases.back();
    const Duration end = last.until;
    const bool unknown = end == last.begin || scenario_duration_ == Duration{0};
    if (until == nullptr || unknown || end == scenario_duration_) return;
    problems_.add(*until,
                  fmt::format("the last phase ends at {}, the scenario at {}", format_duration(end),
                              format_duration(scenario_duration_)),
                  fmt::format("expected \"{}\"", format_duration(scenario_duration_)));
  }

  // Shares are exclusive, so at every instant they must fit into 1. They change linearly: looking
  // at both ends of the phase is enough. A flap counts as on throughout.
  void check_shares(const Node& faults, const PhaseSpec& phase) {
    std::set<std::size_t> reported;
    for (std::size_t model = 0; model < script_.models.size(); ++model) {
      std::int64_t at_begin = 0;
      std::int64_t at_end = 0;
      for (std::size_t i = 0; i < phase.faults.size(); ++i) {
        const FaultSpec& fault = phase.faults[i];
        if (fault.trigger != FaultTrigger::share || fault.effect == FaultEffect::latency ||
            !fault.affects(static_cast<ModelId>(model))) {
          continue;
        }
        at_begin += fault.share.at_begin();
        at_end += fault.share.at_end();
        if (std::max(at_begin, at_end) <= billion) continue;
        if (reported.insert(i).second) {
          report_shares(faults.items[i], script_.models[model].full_name, phase,
                        {.at_begin = at_begin, .at_end = at_end});
        }
        break;
      }
    }
  }

  struct Sums {
    std::int64_t at_begin;
    std::int64_t at_end;
  };

  void report_shares(const Node& fault, const std::string& model, const PhaseSpec& phase,
                     Sums sums) {
    const Node* share = fault.find("share");
    const double sum = static_cast<double>(std::max(sums.at_begin, sums.at_end));
    problems_.add(share != nullptr ? *share : fault,
                  fmt::format("the shares of the faults on {} can add up to {} in phase \"{}\"",
                              model, sum / static_cast<double>(billion), phase.name),
                  "a request is hit by one fault at most: shares must fit into 1");
  }

  Duration scenario_duration_;
  Problems& problems_;
  Script& script_;
  std::set<std::string> names_;
};

}  // namespace

const std::vector<std::string_view>& provider_failures() {
  static const std::vector<std::string_view> words = [] {
    std::vector<std::string_view> failures;
    for (std::size_t i = 1; i < outcome_kind_count; ++i) {
      const auto kind = static_cast<OutcomeKind>(i);
      const bool ours = is_own_refusal(kind) || kind == OutcomeKind::timed_out ||
                        kind == OutcomeKind::cancelled || kind == OutcomeKind::deadline_exceeded;
      if (!ours) failures.push_back(to_string(kind));
    }
    return failures;
  }();
  return words;
}

bool read_timeline(const Node& node, Duration scenario_duration, Problems& problems,
                   Script& script) {
  const std::size_t before = problems.size();
  TimelineReader(scenario_duration, problems, script).read(node);
  return problems.size() == before;
}

}  // namespace brownout::mock
