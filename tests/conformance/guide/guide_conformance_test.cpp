// The bundled guide policies against the guide's code on its own libraries, over thousands of
// generated histories: every attempt, wait, rejection, reply and breaker state, to the nanosecond.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>

#include "engine/core/document.hpp"
#include "tests/conformance/guide/guide_cases.hpp"
#include "tests/conformance/guide/guide_replay.hpp"

namespace brownout::conformance {
namespace {

constexpr std::array policies{"guide-retry-only", "guide-rate-limit", "guide-layered",
                              "guide-breaker-class"};
constexpr std::array breakers{"library", "class"};
constexpr std::uint64_t cases_per_policy = 700;
constexpr std::uint64_t cases_per_breaker = 2000;

template <class Case>
struct Played {
  Case history;
  Trace python;
};

// All histories and what Python made of them.
struct Reference {
  std::map<std::string, std::vector<Played<PolicyCase>>> policies;
  std::map<std::string, std::vector<Played<BreakerCase>>> breakers;
  std::string error;
};

template <class Case>
void take_traces(std::vector<Played<Case>>& played, std::vector<Trace>::iterator& next) {
  for (Played<Case>& p : played) p.python = std::move(*next++);
}

Reference make_reference() {
  Reference reference;
  std::vector<std::string> lines;
  for (const std::string policy : policies) {
    for (std::uint64_t i = 0; i < cases_per_policy; ++i) {
      reference.policies[policy].push_back({make_policy_case(policy, i), {}});
      lines.push_back(to_json(reference.policies[policy].back().history));
    }
  }
  for (const std::string breaker : breakers) {
    for (std::uint64_t i = 0; i < cases_per_breaker; ++i) {
      reference.breakers[breaker].push_back({make_breaker_case(breaker, i), {}});
      lines.push_back(to_json(reference.breakers[breaker].back().history));
    }
  }
  auto traces = replay_in_python(lines);
  if (!traces) {
    reference.error = traces.error().front().to_string();
    return reference;
  }
  auto next = traces->begin();
  for (const std::string policy : policies) take_traces(reference.policies[policy], next);
  for (const std::string breaker : breakers) take_traces(reference.breakers[breaker], next);
  return reference;
}

const Reference& reference() {
  static const Reference made = make_reference();
  return made;
}

std::string path_of(const std::string& policy) {
  return "scenarios/policies/" + policy + ".json";
}

// Which policy's breaker is the counterpart of which of Python's.
BreakerOptions bundled_breaker(const std::string& breaker) {
  const Policy policy =
      load_policy(path_of(breaker == "library" ? "guide-layered" : "guide-breaker-class")).value();
  const auto& fallback = std::get<FallbackSpec>(policy.pipeline.front());
  return std::get<BreakerOptions>(fallback.routes.front().pipeline.front());
}

// The first history that ends up differently with `settings`; empty when there is none.
template <class Case, class Settings>
std::string first_difference(const std::vector<Played<Case>>& all, const Settings& settings) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::string found = difference(replay(all[i].history, settings), all[i].python);
    if (!found.empty()) return fmt::format("case {}: {}\n{}", i, to_json(all[i].history), found);
  }
  return {};
}

std::string test_name(std::string name) {
  std::ranges::replace_if(
      name, [](char c) { return c == '-' || c == ' '; }, '_');
  return name;
}

class GuidePolicy : public ::testing::TestWithParam<const char*> {};

TEST_P(GuidePolicy, DoesWhatTheGuidesCodeDoesOnItsLibraries) {
  ASSERT_EQ(reference().error, "");
  const auto policy = load_policy(path_of(GetParam()));
  ASSERT_TRUE(policy.has_value());
  EXPECT_EQ(first_difference(reference().policies.at(GetParam()), *policy), "");
}

INSTANTIATE_TEST_SUITE_P(All, GuidePolicy, ::testing::ValuesIn(policies),
                         [](const auto& test) { return test_name(test.param); });

class GuideBreaker : public ::testing::TestWithParam<const char*> {};

TEST_P(GuideBreaker, TreatsOverlappingCallsAsPythonsDoes) {
  ASSERT_EQ(reference().error, "");
  EXPECT_EQ(first_difference(reference().breakers.at(GetParam()), bundled_breaker(GetParam())), "");
}

INSTANTIATE_TEST_SUITE_P(All, GuideBreaker, ::testing::ValuesIn(breakers),
                         [](const auto& test) { return test_name(test.param); });

// What follows keeps the comparison itself honest: it must notice every setting that is off, by a
// tick where it is a time.

struct Change {
  const char* name;
  const char* policy;
  const char* from;
  const char* to;
};

class ChangedPolicy : public ::testing::TestWithParam<Change> {};

TEST_P(ChangedPolicy, IsTold) {
  ASSERT_EQ(reference().error, "");
  const Change& change = GetParam();
  std::string text = Document::load(path_of(change.policy)).value()->text();
  const auto place = text.find(change.from);
  ASSERT_NE(place, std::string::npos);
  text.replace(place, std::string_view(change.from).size(), change.to);
  const auto policy = parse_policy("changed.json", text);
  ASSERT_TRUE(policy.has_value()) << policy.error().front().to_string();
  EXPECT_NE(first_difference(reference().policies.at(change.policy), *policy), "");
}

INSTANTIATE_TEST_SUITE_P(
    All, ChangedPolicy,
    ::testing::Values(
        Change{"one_attempt_less", "guide-retry-only", R"("max_attempts": 3)",
               R"("max_attempts": 2)"},
        Change{"one_attempt_more", "guide-retry-only", R"("max_attempts": 3)",
               R"("max_attempts": 4)"},
        Change{"longer_wait", "guide-retry-only", R"("min": "4s")", R"("min": "4.001s")"},
        Change{"steeper_wait", "guide-retry-only", R"("multiplier": "1s")",
               R"("multiplier": "3s")"},
        Change{"jitter", "guide-rate-limit", R"("jitter": "none")", R"("jitter": "equal")"},
        Change{"retry_after", "guide-retry-only", R"("retry_after": "ignore")",
               R"("retry_after": "at_least")"},
        Change{"quota_not_retried", "guide-retry-only", R"("quota_exhausted", )", ""},
        Change{"connection_retried", "guide-retry-only", R"("timed_out" ])",
               R"("timed_out", "connection" ])"},
        Change{"attempt_cut_a_tick_early", "guide-retry-only", R"("30s")", R"("29.998046875s")"},
        Change{"attempt_cut_a_tick_late", "guide-retry-only", R"("30s")", R"("30.001953125s")"},
        Change{"gives_up_a_tick_early", "guide-rate-limit", R"("300s")", R"("299.998046875s")"},
        Change{"gives_up_a_tick_late", "guide-rate-limit", R"("300s")", R"("300.001953125s")"},
        Change{"lower_longest_wait", "guide-rate-limit", R"("120s")", R"("119s")"},
        Change{"timeouts_retried", "guide-rate-limit", R"("daily_limited" ])",
               R"("daily_limited", "timed_out" ])"},
        Change{"opens_early", "guide-layered", R"("consecutive_failures": 5)",
               R"("consecutive_failures": 4)"},
        Change{"opens_late", "guide-layered", R"("consecutive_failures": 5)",
               R"("consecutive_failures": 6)"},
        Change{"half_open_a_tick_early", "guide-layered", R"("60s")", R"("59.998046875s")"},
        Change{"half_open_a_tick_late", "guide-layered", R"("60s")", R"("60.001953125s")"},
        Change{"two_successes_close", "guide-layered", R"("close_after": 1)",
               R"("close_after": 2)"},
        Change{"caller_at_fault_not_counted", "guide-layered", R"(, "failures": [ "any" ])", ""},
        Change{"forgets_a_tick_early", "guide-layered", R"("3600s")", R"("3599.998046875s")"},
        Change{"forgets_a_tick_late", "guide-layered", R"("3600s")", R"("3600.001953125s")"},
        Change{"no_cached_reply", "guide-layered", R"({ "cached": { "ttl": "3600s" } },)", ""},
        Change{"critical_stops_the_chain", "guide-layered", R"("on": [ "any" ])",
               R"("on": [ "retryable", "non_retryable", "breaker_open" ])"},
        Change{"one_success_closes", "guide-breaker-class", R"("close_after": 2)",
               R"("close_after": 1)"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(ChangedBreaker, IsTold) {
  ASSERT_EQ(reference().error, "");
  const auto told = [](const char* breaker, auto change) {
    BreakerOptions options = bundled_breaker(breaker);
    change(options);
    return !first_difference(reference().breakers.at(breaker), options).empty();
  };
  using Late = BreakerOptions::LateResults;
  for (const char* breaker : breakers) {
    SCOPED_TRACE(breaker);
    EXPECT_TRUE(told(breaker, [](auto& o) { o.late_results = Late::ignored; }));
    EXPECT_TRUE(told(breaker, [](auto& o) { o.probes = 1; }));
    EXPECT_TRUE(told(breaker, [](auto& o) { o.probes = 8; }));
    EXPECT_TRUE(told(breaker, [](auto& o) { o.open_for += tick; }));
    EXPECT_TRUE(told(breaker, [](auto& o) { o.open_for -= tick; }));
    EXPECT_TRUE(told(breaker, [](auto& o) { ++o.consecutive_failures; }));
    EXPECT_TRUE(told(breaker, [](auto& o) { --o.consecutive_failures; }));
    EXPECT_TRUE(told(breaker, [](auto& o) { ++o.close_after; }));
  }
  EXPECT_TRUE(told("library", [](auto& o) { o.late_results = Late::extend_open; }));
  EXPECT_TRUE(told("class", [](auto& o) { o.late_results = Late::counted; }));
}

}  // namespace
}  // namespace brownout::conformance
