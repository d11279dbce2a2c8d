// docs/reference/metrics.md, held against what the metrics are.

#include <gtest/gtest.h>
#include <prometheus/collectable.h>
#include <prometheus/registry.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "engine/telemetry/prometheus_metrics.hpp"

namespace brownout {
namespace {

struct Metric {
  std::string type;
  std::set<std::string> labels;
  std::map<std::string, std::set<std::string>> values;  // by label
  std::size_t series = 0;
};
using Metrics = std::map<std::string, Metric>;

std::string name_of(prometheus::MetricType type) {
  return type == prometheus::MetricType::Counter     ? "counter"
         : type == prometheus::MetricType::Gauge     ? "gauge"
         : type == prometheus::MetricType::Histogram ? "histogram"
                                                     : "other";
}

// Two routes, each with a breaker, and one of everything that is optional.
Metrics real_metrics() {
  const PipelineNames names{{{"first", "openai/gpt-4"}, {"second", "anthropic/claude"}},
                            {{"first", 0}, {"second", 1}}};
  MetricsOptions options;
  options.prices = {{"openai/gpt-4", 1, 1}};
  options.budgets = {{"all", [] { return std::int64_t{0}; }}};
  const PrometheusMetrics metrics(std::make_shared<prometheus::Registry>(), names, options);
  Metrics found;
  for (const auto& family : metrics.collectable()->Collect()) {
    Metric& metric = found[family.name];
    metric.type = name_of(family.type);
    for (const auto& sample : family.metric) {
      // A histogram has its buckets, the last of them at infinity, a sum and a count.
      const std::size_t buckets = sample.histogram.bucket.size();
      metric.series += buckets == 0 ? 1 : buckets + 2;
      for (const auto& label : sample.label) {
        metric.labels.insert(label.name);
        metric.values[label.name].insert(label.value);
      }
    }
  }
  return found;
}

std::string page() {
  std::ifstream file("docs/reference/metrics.md");
  EXPECT_TRUE(file);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::set<std::string> words_in_quotes(const std::string& text) {
  static const std::regex word("`(\\w+)`");
  std::set<std::string> words;
  for (std::sregex_iterator match(text.begin(), text.end(), word), end; match != end; ++match) {
    words.insert((*match)[1]);
  }
  return words;
}

struct Row {
  std::string name;
  std::string type;
  std::set<std::string> labels;
  std::string unit;
  std::string meaning;
};

std::vector<Row> rows() {
  static const std::regex row(R"(\| `(llm_\w+)` \| (\w+) \| ([^|]*) \| ([^|]*)\| ([^|]+) \|)");
  const std::string text = page();
  std::vector<Row> found;
  for (std::sregex_iterator match(text.begin(), text.end(), row), end; match != end; ++match) {
    found.push_back(
        {(*match)[1], (*match)[2], words_in_quotes((*match)[3]), (*match)[4], (*match)[5]});
  }
  return found;
}

TEST(MetricsPage, HasARowForEachMetricAndNoOther) {
  const Metrics real = real_metrics();
  std::set<std::string> told;
  for (const Row& row : rows()) {
    EXPECT_TRUE(told.insert(row.name).second) << row.name;
    const auto found = real.find(row.name);
    ASSERT_NE(found, real.end()) << row.name << " is no metric";
    EXPECT_EQ(row.type, found->second.type) << row.name;
    EXPECT_EQ(row.labels, found->second.labels) << row.name;
  }
  for (const auto& [name, metric] : real) EXPECT_TRUE(told.contains(name)) << name << " has no row";
}

TEST(MetricsPage, UnitsAreThoseOfTheNames) {
  for (const Row& row : rows()) {
    for (const std::string unit : {"seconds", "dollars", "tokens"}) {
      EXPECT_EQ(row.name.find("_" + unit) != std::string::npos, row.unit.starts_with(unit))
          << row.name;
    }
  }
}

// The values of labels that belong to one metric alone are listed in its row.
TEST(MetricsPage, NamesEachValueOfAMetricsOwnLabels) {
  Metrics real = real_metrics();
  std::size_t values = 0;
  for (const Row& row : rows()) {
    const std::set<std::string> words = words_in_quotes(row.meaning);
    for (const std::string label : {"direction", "result", "to", "outcome"}) {
      // Of outcomes, those that nobody but a policy of ours gives.
      if (label == "outcome" && row.name != "llm_rejections_total") continue;
      if (row.name == "llm_wasted_tokens_total") continue;  // as in the row above it
      for (const std::string& value : real[row.name].values[label]) {
        const auto outcome = parse_outcome_kind(value);
        if (outcome && !is_own_refusal(*outcome)) continue;
        EXPECT_TRUE(words.contains(value)) << row.name << " does not explain " << value;
        ++values;
      }
    }
  }
  EXPECT_EQ(values, 2U + 4U + 3U + 4U);
}

TEST(MetricsPage, CountsTheSeries) {
  static const std::regex formula(R"(about (\d+) \+ (\d+)\*r\* \+ (\d+)\*b\* series)");
  const std::string text = page();
  std::smatch match;
  ASSERT_TRUE(std::regex_search(text, match, formula));
  const double told = std::stod(match[1]) + 2 * std::stod(match[2]) + 2 * std::stod(match[3]);
  double real = 0;
  for (const auto& [name, metric] : real_metrics()) real += static_cast<double>(metric.series);
  EXPECT_NEAR(told, real, 10);
}

// Every metric and label that an alert or the text mentions exists.
TEST(MetricsPage, MentionsOnlyWhatThereIs) {
  static const std::regex mention(R"re(\b(llm_\w+)(?:\{(\w+)=~?"([^"]*)"\})?)re");
  const Metrics real = real_metrics();
  const std::string text = page();
  std::size_t selections = 0;
  for (std::sregex_iterator match(text.begin(), text.end(), mention), end; match != end; ++match) {
    const auto found = real.find((*match)[1]);
    ASSERT_NE(found, real.end()) << (*match)[1];
    if (!(*match)[2].matched) continue;
    ++selections;
    const auto values = found->second.values.find((*match)[2]);
    ASSERT_NE(values, found->second.values.end()) << match->str();
    std::istringstream choices((*match)[3].str());
    for (std::string value; std::getline(choices, value, '|');) {
      EXPECT_TRUE(values->second.contains(value)) << match->str();
    }
  }
  EXPECT_GT(selections, 0U);
}

}  // namespace
}  // namespace brownout
