#include "sim/scenario.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/sim/complaints.hpp"
#include "tests/sim/lab.hpp"

namespace brownout::sim {
namespace {

using namespace std::chrono_literals;
using testing::Complaint;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Lab;

TEST(Scenario, EveryBundledScenarioLoads) {
  for (const char* name : {"healthy", "incidents/openai-control-plane-collapse",
                           "incidents/tpm-30k", "incidents/dns-30s-stall"}) {
    const std::string path = std::string("scenarios/") + name + ".json";
    const auto scenario = load_scenario(path);
    ASSERT_TRUE(scenario) << path;
    EXPECT_EQ(scenario->path, path);
    EXPECT_EQ(scenario->policy_path, "scenarios/policies/recommended.json");
    EXPECT_FALSE(scenario->expectations.empty());
    EXPECT_TRUE(load_policy(scenario->policy_path)) << path;
  }
}

TEST(Scenario, KeepsWhatTheFileSays) {
  const auto scenario = load_scenario("scenarios/incidents/openai-control-plane-collapse.json");
  ASSERT_TRUE(scenario);
  EXPECT_EQ(scenario->name, "openai-2024-12-11-control-plane-collapse");
  EXPECT_EQ(scenario->duration, 6h);
  EXPECT_EQ(scenario->seed, 1U);
  using namespace std::chrono;
  EXPECT_EQ(scenario->starts_at, sys_days{2024y / December / 11} + 22h + 16min);
  ASSERT_NE(scenario->role("independent"), nullptr);
  EXPECT_EQ(*scenario->role("independent"), "anthropic/claude");
  EXPECT_EQ(scenario->role("tertiary"), nullptr);
  EXPECT_EQ(scenario->script.phases.size(), 4U);
}

TEST(Scenario, DefaultsToOneHopOfTenMillisecondsSeedOneAnd1970) {
  const auto scenario = parse_scenario("x.json", R"({"kind": "scenario", "version": 1, "name": "x",
      "duration": "1h", "providers": {"lab": {"dialect": "openai", "models": {
          "model": {"ttft": "1s", "inter_token": "1ms"}}}},
      "timeline": [{"phase": "all", "until": "1h"}],
      "workload": {"arrivals": {"poisson": "1/s"}, "input_tokens": 1, "output_tokens": 1}})");
  ASSERT_TRUE(scenario);
  EXPECT_EQ(scenario->seed, 1U);
  EXPECT_EQ(scenario->starts_at, SystemTime{});
  EXPECT_EQ(scenario->network_latency.to_string(), "10ms");
  EXPECT_EQ(scenario->policy_path, "");
  EXPECT_EQ(scenario->workload.deadline, forever);
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  const auto found = text.find(what);
  EXPECT_NE(found, std::string::npos) << what;
  return text.replace(found, what.size(), with);
}

TEST(Scenario, FindsItsPolicyFromItsOwnFolder) {
  const std::string text =
      replaced(testing::scenario_json({}), R"("expect")", R"("policy": "../p/x.json", "expect")");
  EXPECT_EQ(testing::loaded(parse_scenario("a/b/lab.json", text)).policy_path, "a/p/x.json");
  EXPECT_EQ(testing::loaded(parse_scenario("lab.json", text)).policy_path, "../p/x.json");
}

std::vector<Complaint> refused(const std::string& what, const std::string& with) {
  const auto scenario =
      parse_scenario("lab.json", replaced(testing::scenario_json({}), what, with));
  EXPECT_FALSE(scenario) << with;
  return scenario ? std::vector<Complaint>{} : testing::complaints_of(scenario.error());
}

TEST(Scenario, HeadersAreChecked) {
  EXPECT_THAT(refused(R"("kind": "scenario")", R"("kind": "policy")"),
              ElementsAre(Complaint{"this file is a policy, not a scenario", R"("policy")", ""}));
  EXPECT_THAT(
      refused(R"("version": 1)", R"("version": 2)"),
      ElementsAre(Complaint{"there is no version 2 of the scenario format", "2", "expected 1"}));
  EXPECT_THAT(
      refused(R"("name": "lab")", R"("nmae": "lab")"),
      ElementsAre(Complaint{R"(unknown key "nmae")", R"("nmae")", R"(did you mean "name"?)"}));
  EXPECT_THAT(refused(R"("roles")", R"("seed": -1, "roles")"), ::testing::SizeIs(1));
}

TEST(Scenario, CalendarTimesAreCheckedToTheLastDigit) {
  const auto with = [](const std::string& time) {
    return parse_scenario("lab.json", replaced(testing::scenario_json({}), R"("roles")",
                                               R"("starts_at": ")" + time + R"(", "roles")"));
  };
  EXPECT_TRUE(with("2024-02-29T23:59:59Z"));
  for (const char* time :
       {"2023-02-29T00:00:00Z", "2024-12-11T24:00:00Z", "2024-12-11T22:60:00Z",
        "2024-13-01T00:00:00Z", "2024-12-11T22:16:00", "2024-12-11 22:16:00Z",
        "2024-12-11T22:16:0xZ", "1969-12-31T00:00:00Z", "2024-12-11T22:16:00+"}) {
    const auto scenario = with(time);
    ASSERT_FALSE(scenario) << time;
    EXPECT_THAT(testing::complaints_of(scenario.error()),
                ElementsAre(Complaint{'"' + std::string(time) + "\" is not a time of the calendar",
                                      '"' + std::string(time) + '"',
                                      R"(expected UTC, as in "2024-12-11T22:16:00Z")"}));
  }
}

TEST(Scenario, RolesLeadToItsModels) {
  EXPECT_THAT(refused(R"("primary": "lab/model")", R"("primary": "lab/modle")"),
              ElementsAre(Complaint{R"(this scenario has no model "lab/modle")", R"("lab/modle")",
                                    R"(did you mean "lab/model"?)"}));
  EXPECT_THAT(refused(R"("roles": {)", R"("roles": [], "x": {)").front().message,
              HasSubstr("expected an object of roles"));
}

TEST(Scenario, EverythingWrongIsReportedAtOnce) {
  const auto scenario = parse_scenario("lab.json", R"({"kind": "scenario", "version": 1,
      "name": "x", "duration": "1h", "providers": {"lab": {"dialect": "openai", "models": {
          "model": {"ttft": "1s"}}}},
      "timeline": [{"phase": "all", "until": "2h"}],
      "workload": {"arrivals": {"poisson": "1/s"}, "input_tokens": 1},
      "expect": ["speed >= 1", "calls during none == 0"]})");
  ASSERT_FALSE(scenario);
  EXPECT_EQ(scenario.error().size(), 5U);
}

TEST(Scenario, AFileThatIsNotThereIsAnErrorOfTheEnvironment) {
  const auto scenario = load_scenario("scenarios/no-such-file.json");
  ASSERT_FALSE(scenario);
  EXPECT_EQ(scenario.error().front().kind, ErrorKind::environment);
}

// Binding

Policy route_to(const std::string& members) {
  return testing::branching_policy(R"([{"fallback": {"routes": [{"name": "main", "pipeline": [],
)" + members + "}]}}]");
}

std::vector<Complaint> unbound(const Scenario& scenario, const Policy& policy,
                               const std::vector<Binding>& bindings = {}) {
  const auto bound = sim::bind(scenario, policy, bindings);
  EXPECT_FALSE(bound);
  return bound ? std::vector<Complaint>{} : testing::complaints_of(bound.error());
}

TEST(Bind, AnExplicitBindingBeatsTheModelWhichBeatsTheRole) {
  const Scenario scenario = testing::scenario({});
  const auto target = [&](const std::string& members, const std::vector<Binding>& bindings = {}) {
    const BoundPolicy bound = testing::loaded(sim::bind(scenario, route_to(members), bindings));
    EXPECT_EQ(bound.routes, std::vector<std::string>{"main"});
    EXPECT_EQ(bound.target_ids.size(), 1U);
    return bound.targets.empty() ? "" : bound.targets[0];
  };
  EXPECT_EQ(target(R"("to": "lab/model", "role": "secondary")"), "lab/model");
  EXPECT_EQ(target(R"("to": "openai/gpt-4", "role": "secondary")"), "lab/other");
  EXPECT_EQ(target(R"("to": "role:secondary")"), "lab/other");
  EXPECT_EQ(target(R"("to": "lab/model")", {{"main", "lab/other"}}), "lab/other");
  EXPECT_EQ(target(R"("to": "openai/gpt-4")", {{"main", "lab/other"}}), "lab/other");
}

TEST(Bind, NamesBreakersAndNumbersTargets) {
  const Scenario scenario = testing::scenario({});
  const Policy policy = testing::branching_policy(R"([{"breaker": {}}, {"fallback": {"routes": [
      {"name": "a", "to": "lab/other", "pipeline": [{"breaker": {}}, {"breaker": {}}]},
      {"name": "b", "to": "lab/model", "pipeline": []}]}}])");
  const BoundPolicy bound = testing::loaded(sim::bind(scenario, policy, {}));
  EXPECT_THAT(bound.routes, ElementsAre("a", "b"));
  EXPECT_THAT(bound.breakers, ElementsAre("pipeline", "a", "a#2"));
  EXPECT_THAT(bound.targets, ElementsAre("lab/other", "lab/model"));
  EXPECT_THAT(bound.target_ids, ElementsAre(1, 0));
}

TEST(Bind, ARouteWithoutATargetIsRefusedWhereItStands) {
  const Scenario scenario = testing::scenario({});
  const std::string or_bind = ", or bind it: --bind main=PROVIDER/MODEL";
  EXPECT_THAT(unbound(scenario, route_to(R"("to": "lab/modle")")),
              ElementsAre(Complaint{R"(scenario lab has no model "lab/modle" for route main)",
                                    R"("lab/modle")", R"(did you mean "lab/model"?)" + or_bind}));
  EXPECT_THAT(unbound(scenario, route_to(R"("to": "openai/gpt-4", "role": "primry")")),
              ElementsAre(Complaint{
                  R"(scenario lab has no model "openai/gpt-4" and no role "primry" for route main)",
                  R"("openai/gpt-4")", R"(did you mean "primary"?)" + or_bind}));
  EXPECT_THAT(unbound(scenario, route_to(R"("to": "role:independent")")),
              ElementsAre(Complaint{R"(scenario lab has no role "independent" for route main)",
                                    R"("role:independent")",
                                    "expected one of: primary, secondary" + or_bind}));
}

TEST(Bind, BindingsMustNameARouteAndAModel) {
  const auto bound = sim::bind(testing::scenario({}), route_to(R"("to": "lab/model")"),
                               {{"mian", "lab/other"}, {"main", "lab/gpt"}});
  ASSERT_FALSE(bound);
  ASSERT_EQ(bound.error().size(), 2U);
  EXPECT_EQ(bound.error()[0].message,
            R"(--bind mian=lab/other: policy test has no such route; did you mean "main"?)");
  EXPECT_EQ(bound.error()[1].message,
            "--bind main=lab/gpt: scenario lab has no such model; expected one of: lab/model, "
            "lab/other");
}

TEST(Bind, ExpectationsAboutRoutesThePolicyLacksAreRefused) {
  Lab lab;
  lab.expect = R"(["share(backup) >= 1%", "share(main) >= 1%"])";
  EXPECT_THAT(unbound(testing::scenario(lab), route_to(R"("to": "lab/model")")),
              ElementsAre(Complaint{R"(the policy has no route "backup")", "backup",
                                    "expected one of: main, cache, default"}));
}

}  // namespace
}  // namespace brownout::sim
