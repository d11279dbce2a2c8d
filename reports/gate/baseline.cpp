#include "reports/gate/baseline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

#include "engine/core/check.hpp"
#include "engine/core/document.hpp"

namespace brownout::reports {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();

Json reading_json(const Reading& reading) {
  switch (reading.state) {
    case Reading::State::none:
      return nullptr;
    case Reading::State::never:
      return "never";
    case Reading::State::number:
      break;
  }
  if (reading.value.denominator == 1) return reading.value.numerator;
  return {reading.value.numerator, reading.value.denominator};
}

std::string line_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string run_line(const BaselineRun& run) {
  Json values = Json::array();
  for (const Reading& reading : run.readings) values.push_back(reading_json(reading));
  return fmt::format(R"({{"seed": {}, "digest": "{}", "values": {}}})", run.seed,
                     sim::format_digest(run.semantic_digest), line_of(values));
}

class Reader {
 public:
  Result<Baseline> read(const Document& document) {
    Baseline baseline;
    ObjectReader object(document.root(), problems_);
    if (read_header(document.root(), object, problems_, "baseline")) {
      object.required("policy",
                      [&](const Node& node) { read_string(node, problems_, baseline.policy); });
      object.required("policy_digest",
                      [&](const Node& node) { digest(node, baseline.policy_digest); });
      object.required("scenarios", [&](const Node& node) {
        read_array(node, problems_, [&](const Node& item) { scenario(item, baseline.scenarios); });
      });
      object.finish();
    }
    if (!problems_.empty()) return tl::unexpected(problems_.take());
    std::ranges::sort(baseline.scenarios, {}, &BaselineScenario::name);
    return baseline;
  }

 private:
  void scenario(const Node& node, std::vector<BaselineScenario>& scenarios) {
    BaselineScenario read;
    ObjectReader object(node, problems_);
    const Node* const name = object.required("scenario");
    if (name != nullptr && read_string(*name, problems_, read.name) &&
        std::ranges::find(scenarios, read.name, &BaselineScenario::name) != scenarios.end()) {
      problems_.add(*name, fmt::format("scenario {} is there twice", read.name));
    }
    object.required("digest", [&](const Node& value) { digest(value, read.digest); });
    object.required("measures", [&](const Node& list) {
      read_array(list, problems_, [&](const Node& item) {
        std::string& measure = read.measures.emplace_back();
        if (!read_string(item, problems_, measure)) return;
        if (std::ranges::count(read.measures, measure) > 1) {
          problems_.add(item, fmt::format("measure {} is there twice", measure));
        }
      });
    });
    object.required("seeds", [&](const Node& list) {
      read_array(list, problems_, [&](const Node& item) { run(item, read); });
    });
    object.finish();
    std::ranges::sort(read.runs, {}, &BaselineRun::seed);
    scenarios.push_back(std::move(read));
  }

  void run(const Node& node, BaselineScenario& scenario) {
    BaselineRun read;
    ObjectReader object(node, problems_);
    object.required("seed", [&](const Node& value) {
      std::int64_t seed = 0;
      if (!read_integer(value, problems_, seed, 0, (std::int64_t{1} << 53) - 1)) return;
      read.seed = static_cast<std::uint64_t>(seed);
      // Files are written in order, so the last is where to look for it first.
      if (std::ranges::find(scenario.runs.rbegin(), scenario.runs.rend(), read.seed,
                            &BaselineRun::seed) != scenario.runs.rend()) {
        problems_.add(value, fmt::format("seed {} is there twice", seed));
      }
    });
    object.required("digest", [&](const Node& value) { digest(value, read.semantic_digest); });
    object.required("values", [&](const Node& list) {
      read_array(list, problems_,
                 [&](const Node& item) { read.readings.push_back(reading(item)); });
      if (list.items.size() != scenario.measures.size()) {
        problems_.add(list, fmt::format("{} values for {} measures", list.items.size(),
                                        scenario.measures.size()));
      }
    });
    object.finish();
    scenario.runs.push_back(std::move(read));
  }

  Reading reading(const Node& node) {
    Reading read;
    if (node.type == Node::Type::null) return read;
    if (node.type == Node::Type::string && node.text == "never") {
      return {Reading::State::never, {}};
    }
    read.state = Reading::State::number;
    if (node.type == Node::Type::number) {
      read_integer(node, problems_, read.value.numerator, 0, most);
    } else if (node.type == Node::Type::array && node.items.size() == 2) {
      read_integer(node.items[0], problems_, read.value.numerator, 0, most);
      read_integer(node.items[1], problems_, read.value.denominator, 1, most);
    } else {
      problems_.add(node, "this is no value",
                    R"(expected a whole number, [numerator, denominator], "never" or null)");
    }
    return read;
  }

  void digest(const Node& node, std::uint64_t& out) {
    std::string text;
    if (!read_string(node, problems_, text)) return;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, 16);
    const bool whole = error == std::errc{} && end == text.data() + text.size();
    if (text.size() != 16 || !whole || sim::format_digest(out) != text) {
      problems_.add(node, "this is no digest", "expected 16 hexadecimal digits");
    }
  }

  Problems problems_;
};

}  // namespace

const BaselineScenario* Baseline::find(const std::string& scenario) const {
  const auto found = std::ranges::find(scenarios, scenario, &BaselineScenario::name);
  return found == scenarios.end() ? nullptr : &*found;
}

Baseline baseline_of(const std::vector<Suite>& suites) {
  Baseline baseline;
  baseline.policy = suites.front().policy;
  baseline.policy_digest = suites.front().policy_digest;
  for (const Suite& suite : suites) {
    BROWNOUT_CHECK(suite.stage == sim::RunStage::sim);
    BaselineScenario& scenario = baseline.scenarios.emplace_back();
    scenario.name = suite.scenario;
    scenario.digest = suite.scenario_digest;
    for (const Measure& measure : suite.measures) scenario.measures.push_back(measure.name);
    for (const SeedRun& run : suite.runs) {
      if (run.end != sim::RunEnd::completed) continue;
      scenario.runs.push_back({run.seed, run.semantic_digest, run.readings});
    }
    std::ranges::sort(scenario.runs, {}, &BaselineRun::seed);
  }
  std::ranges::sort(baseline.scenarios, {}, &BaselineScenario::name);
  return baseline;
}

std::string to_text(const Baseline& baseline) {
  std::string text = fmt::format(
      "{{\n  \"kind\": \"baseline\",\n  \"version\": 1,\n  \"policy\": {},\n"
      "  \"policy_digest\": \"{}\",\n  \"scenarios\": [",
      line_of(baseline.policy), sim::format_digest(baseline.policy_digest));
  for (const BaselineScenario& scenario : baseline.scenarios) {
    text += &scenario == baseline.scenarios.data() ? "\n" : ",\n";
    text += fmt::format(
        "    {{\n      \"scenario\": {},\n      \"digest\": \"{}\",\n      \"measures\": {},\n"
        "      \"seeds\": [",
        line_of(scenario.name), sim::format_digest(scenario.digest),
        line_of(Json(scenario.measures)));
    for (const BaselineRun& run : scenario.runs) {
      text += &run == scenario.runs.data() ? "\n        " : ",\n        ";
      text += run_line(run);
    }
    text += "\n      ]\n    }";
  }
  return text + "\n  ]\n}\n";
}

Result<Baseline> parse_baseline(const std::string& name, std::string text) {
  const auto document = Document::parse(name, std::move(text));
  if (!document) return tl::unexpected(document.error());
  return Reader().read(**document);
}

Result<Baseline> load_baseline(const std::string& path) {
  const auto document = Document::load(path);
  if (!document) return tl::unexpected(document.error());
  return Reader().read(**document);
}

}  // namespace brownout::reports
