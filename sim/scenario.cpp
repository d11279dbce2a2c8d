#include "sim/scenario.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "engine/core/document_text.hpp"

namespace brownout::sim {
namespace {

constexpr Duration duration_max = std::chrono::hours{24 * 366};

// "2024-12-11T22:16:00Z": RFC 3339 in UTC, whole seconds.
std::optional<SystemTime> parse_time(std::string_view text) {
  if (text.size() != 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' ||
      text[16] != ':' || text[19] != 'Z') {
    return std::nullopt;
  }
  bool digits = true;
  const auto number = [&](std::size_t begin, std::size_t size) {
    unsigned value = 0;
    const char* end = text.data() + begin + size;
    digits &= std::from_chars(text.data() + begin, end, value).ptr == end;
    return value;
  };
  const std::chrono::year_month_day day{std::chrono::year{static_cast<int>(number(0, 4))},
                                        std::chrono::month{number(5, 2)},
                                        std::chrono::day{number(8, 2)}};
  const unsigned hour = number(11, 2);
  const unsigned minute = number(14, 2);
  const unsigned second = number(17, 2);
  const bool in_range =
      int{day.year()} >= 1970 && int{day.year()} <= 2200 && hour < 24 && minute < 60 && second < 60;
  if (!digits || !day.ok() || !in_range) return std::nullopt;
  return std::chrono::sys_days{day} + std::chrono::hours{hour} + std::chrono::minutes{minute} +
         std::chrono::seconds{second};
}

class ScenarioReader {
 public:
  ScenarioReader(Problems& problems, Scenario& scenario)
      : problems_(problems), scenario_(scenario) {}

  void read(const Node& root);

 private:
  void read_preamble(ObjectReader& object);
  void read_roles(const Node& node);
  void read_network(const Node& node);
  void read_policy_path(const Node& node);
  void read_expectations(const Node& node);

  Problems& problems_;
  Scenario& scenario_;
  Duration ends_{};
};

void ScenarioReader::read(const Node& root) {
  ObjectReader object(root, problems_);
  if (!read_header(root, object, problems_, "scenario")) return;
  read_preamble(object);
  object.required("providers", [&](const Node& node) {
    mock::read_providers(node, problems_, scenario_.script);
  });
  object.optional("roles", [&](const Node& node) { read_roles(node); });
  object.required("timeline", [&](const Node& node) {
    mock::read_timeline(node, scenario_.duration, problems_, scenario_.script);
  });
  scenario_.network_latency = mock::Distribution::constant(std::chrono::milliseconds{10});
  object.optional("network", [&](const Node& node) { read_network(node); });
  object.optional("store",
                  [&](const Node& node) { read_store(node, ends_, problems_, scenario_.store); });
  object.required("workload", [&](const Node& node) {
    read_workload(node, ends_, problems_, scenario_.workload);
  });
  object.optional("policy", [&](const Node& node) { read_policy_path(node); });
  object.optional("expect", [&](const Node& node) { read_expectations(node); });
  object.finish();
}

void ScenarioReader::read_preamble(ObjectReader& object) {
  object.required("name", [&](const Node& node) { read_name(node, problems_, scenario_.name); });
  object.optional("description",
                  [&](const Node& node) { read_string(node, problems_, scenario_.description); });
  object.optional("source",
                  [&](const Node& node) { read_string(node, problems_, scenario_.source); });
  object.required("duration", [&](const Node& node) {
    read_duration(node, problems_, scenario_.duration, Duration{1}, duration_max);
  });
  // One that could not be read must not make what comes later look late.
  ends_ = scenario_.duration.count() > 0 ? scenario_.duration : duration_max;
  object.optional("starts_at", [&](const Node& node) {
    std::string text;
    if (!read_string(node, problems_, text)) return;
    const auto time = parse_time(text);
    if (!time) {
      problems_.add(node, brownout::quoted(text) + " is not a time of the calendar",
                    "expected UTC, as in \"2024-12-11T22:16:00Z\"");
      return;
    }
    scenario_.starts_at = *time;
  });
  object.optional("seed", [&](const Node& node) {
    std::int64_t seed = 0;
    constexpr std::int64_t seed_max = (std::int64_t{1} << 53) - 1;  // exact in every JSON reader
    if (read_integer(node, problems_, seed, 0, seed_max)) {
      scenario_.seed = static_cast<std::uint64_t>(seed);
    }
  });
}

void ScenarioReader::read_roles(const Node& node) {
  if (node.type != Node::Type::object) {
    problems_.add(node, "expected an object of roles, as in { \"primary\": \"openai/gpt-4\" }");
    return;
  }
  for (const Node::Member& member : node.members) {
    if (!is_name(member.key)) {
      problems_.add(*node.document, member.key_span,
                    brownout::quoted(member.key) + " is not a name", std::string(name_letters));
    }
    std::string target;
    if (!read_string(member.value, problems_, target)) continue;
    if (!scenario_.script.find_model(target)) {
      std::vector<std::string_view> models;
      for (const mock::ModelSpec& model : scenario_.script.models) {
        models.push_back(model.full_name);
      }
      problems_.add(member.value, "this scenario has no model \"" + target + "\"",
                    expected_one_of(target, models));
    }
    scenario_.roles.emplace_back(member.key, target);
  }
}

void ScenarioReader::read_network(const Node& node) {
  ObjectReader object(node, problems_);
  object.required("one_way", [&](const Node& value) {
    mock::read_distribution(value, problems_, mock::Unit::duration, scenario_.network_latency);
  });
  object.finish();
}

void ScenarioReader::read_policy_path(const Node& node) {
  std::string text;
  if (!read_string(node, problems_, text)) return;
  if (text.empty()) {
    problems_.add(node, "expected the path of a policy file", "it begins at this file's folder");
    return;
  }
  const auto folder = std::filesystem::path(scenario_.path).parent_path();
  scenario_.policy_path = (folder / text).lexically_normal().string();
}

void ScenarioReader::read_expectations(const Node& node) {
  std::vector<std::string> phases;
  for (const mock::PhaseSpec& phase : scenario_.script.phases) phases.push_back(phase.name);
  read_array(node, problems_, [&](const Node& item) {
    Expectation expectation;
    if (read_expectation(item, phases, ends_, problems_, expectation)) {
      scenario_.expectations.push_back(std::move(expectation));
    }
  });
}

Result<Scenario> read_scenario(std::string path, Result<std::unique_ptr<Document>> document) {
  if (!document) return tl::unexpected(document.error());
  Problems problems;
  Scenario scenario;
  scenario.path = std::move(path);
  ScenarioReader(problems, scenario).read((*document)->root());
  if (!problems.empty()) return tl::unexpected(problems.take());
  scenario.document = std::move(*document);
  return scenario;
}

// Chooses the target of one route; a problem when there is none.
class Binder {
 public:
  Binder(const Scenario& scenario, const Policy& policy, const std::vector<Binding>& bindings,
         Problems& problems)
      : scenario_(scenario), policy_(policy), bindings_(bindings), problems_(problems) {}

  std::string target_of(const RouteSpec& route) {
    for (const Binding& binding : bindings_) {
      if (binding.route == route.name) return binding.target;
    }
    if (route.to.empty() && route.role.empty()) return {};  // it branches; routes inside it lead on
    if (!route.to.empty() && scenario_.script.find_model(route.to)) return route.to;
    const std::string* target = route.role.empty() ? nullptr : scenario_.role(route.role);
    if (target != nullptr) return *target;
    refuse(route);
    return {};
  }

 private:
  void refuse(const RouteSpec& route) {
    std::string message = "scenario " + scenario_.name;
    if (!route.to.empty()) message += " has no model \"" + route.to + "\"";
    if (!route.role.empty()) {
      message += (route.to.empty() ? " has no role \"" : " and no role \"") + route.role + "\"";
    }
    std::vector<std::string_view> names;
    if (route.role.empty()) {
      for (const mock::ModelSpec& model : scenario_.script.models) names.push_back(model.full_name);
    } else {
      for (const auto& [role, target] : scenario_.roles) names.push_back(role);
    }
    problems_.add(*policy_.document, route.span, message + " for route " + route.name,
                  expected_one_of(route.role.empty() ? route.to : route.role, names) +
                      ", or bind it: --bind " + route.name + "=PROVIDER/MODEL");
  }

  const Scenario& scenario_;
  const Policy& policy_;
  const std::vector<Binding>& bindings_;
  Problems& problems_;
};

Errors check_bindings(const Scenario& scenario, const Policy& policy,
                      const std::vector<Binding>& bindings) {
  Errors errors;
  std::vector<std::string_view> routes;
  for (const RouteSpec* route : policy.routes()) routes.push_back(route->name);
  std::vector<std::string_view> models;
  for (const mock::ModelSpec& model : scenario.script.models) models.push_back(model.full_name);
  const auto refuse = [&](const Binding& binding, std::string message) {
    errors.push_back({ErrorKind::invalid,
                      "--bind " + binding.route + "=" + binding.target + ": " + message,
                      {}});
  };
  for (const Binding& binding : bindings) {
    if (std::ranges::count(bindings, binding.route, &Binding::route) > 1) {
      refuse(binding, "route " + binding.route + " is bound twice");
    }
    if (std::ranges::find(routes, binding.route) == routes.end()) {
      refuse(binding, "policy " + policy.name + " has no such route; " +
                          expected_one_of(binding.route, routes));
    }
    if (std::ranges::find(models, binding.target) == models.end()) {
      refuse(binding, "scenario " + scenario.name + " has no such model; " +
                          expected_one_of(binding.target, models));
    }
  }
  return errors;
}

}  // namespace

const std::string* Scenario::role(std::string_view role_name) const {
  const auto found = std::ranges::find(roles, role_name, &decltype(roles)::value_type::first);
  return found == roles.end() ? nullptr : &found->second;
}

Result<Scenario> load_scenario(const std::string& path) {
  return read_scenario(path, Document::load(path));
}

Result<Scenario> parse_scenario(std::string path, std::string text) {
  auto document = Document::parse(path, std::move(text));
  return read_scenario(std::move(path), std::move(document));
}

Result<BoundPolicy> bind(const Scenario& scenario, const Policy& policy,
                         const std::vector<Binding>& bindings, ForeignRoutes foreign) {
  Errors errors = check_bindings(scenario, policy, bindings);
  if (!errors.empty()) return tl::unexpected(std::move(errors));

  Problems problems;
  BoundPolicy bound;
  Binder binder(scenario, policy, bindings, problems);
  for (const RouteSpec* route : policy.routes()) {
    bound.routes.push_back(route->name);
    bound.targets.push_back(binder.target_of(*route));
    bound.target_ids.push_back(
        scenario.script.find_model(bound.targets.back()).value_or(no_target));
  }
  if (problems.empty()) {
    const Pipeline pipeline(policy, bound.targets, bound.target_ids, 0);
    for (const auto& breaker : pipeline.breakers()) bound.breakers.push_back(breaker.name);
    for (std::size_t i = 0; i < scenario.expectations.size(); ++i) {
      const Expectation& expectation = scenario.expectations[i];
      if (applies(expectation, bound.routes, bound.breakers)) continue;
      bound.inapplicable.push_back(i);
      if (foreign == ForeignRoutes::ignore) continue;
      refuse_route(expectation, *scenario.document, bound.routes, bound.breakers, problems);
    }
  }
  if (!problems.empty()) return tl::unexpected(problems.take());
  return bound;
}

}  // namespace brownout::sim
