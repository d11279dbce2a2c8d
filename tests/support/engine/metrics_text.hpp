#pragma once

// Reads Prometheus's text format as strictly as its own parser does, for tests.

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

namespace brownout::testing {

struct MetricsText {
  using Labels = std::map<std::string, std::string>;

  struct Family {
    std::string type;
    std::string help;
  };
  struct Sample {
    std::string name;  ///< with _bucket, _sum or _count
    Labels labels;
    double value = 0;
  };

  std::map<std::string, Family> families;
  std::vector<Sample> samples;

  /// The sum over all samples of `name` that have `labels`. Fails the test where there is none.
  double sum(const std::string& name, const Labels& labels = {}) const {
    double total = 0;
    bool found = false;
    for (const Sample& sample : samples) {
      if (sample.name != name) continue;
      bool fits = true;
      for (const auto& [label, value] : labels) {
        const auto has = sample.labels.find(label);
        fits &= has != sample.labels.end() && has->second == value;
      }
      if (!fits) continue;
      found = true;
      total += sample.value;
    }
    EXPECT_TRUE(found) << "no sample of " << name;
    return total;
  }
};

/// "llm_calls_total" and "llm_call_duration_seconds_bucket" both belong to a family.
inline std::string family_of(const MetricsText& text, const std::string& sample) {
  if (text.families.contains(sample)) return sample;
  for (const std::string suffix : {"_bucket", "_sum", "_count"}) {
    if (!sample.ends_with(suffix)) continue;
    const std::string family = sample.substr(0, sample.size() - suffix.size());
    const auto found = text.families.find(family);
    if (found != text.families.end() && found->second.type == "histogram") return family;
  }
  return "";
}

inline MetricsText::Labels parse_labels(std::string text) {
  static const std::regex label(R"re(^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\[\\n"])*)"(,|$))re");
  MetricsText::Labels labels;
  for (std::smatch match; !text.empty(); text = match.suffix()) {
    if (!std::regex_search(text, match, label)) {
      ADD_FAILURE() << "these are no labels: " << text;
      break;
    }
    EXPECT_TRUE(labels.emplace(match[1], match[2]).second) << "twice: " << match[1];
  }
  return labels;
}

/// Fails the test for each line that is not well formed, a sample before its family's type, and
/// series that occur twice.
inline MetricsText parse_metrics(const std::string& text) {
  static const std::regex comment(R"(# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+))");
  static const std::regex sample(R"(([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+))");
  MetricsText parsed;
  std::set<std::pair<std::string, MetricsText::Labels>> seen;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_match(line, match, comment)) {
      MetricsText::Family& family = parsed.families[match[2]];
      std::string& part = match[1] == "TYPE" ? family.type : family.help;
      EXPECT_TRUE(part.empty()) << "twice: " << line;
      part = match[3];
      continue;
    }
    if (!std::regex_match(line, match, sample)) {
      ADD_FAILURE() << "neither comment nor sample: " << line;
      continue;
    }
    EXPECT_NE(family_of(parsed, match[1]), "") << "of no family: " << line;
    const std::string value = match[3];
    char* end = nullptr;
    const double number = std::strtod(value.c_str(), &end);
    EXPECT_EQ(*end, '\0') << line;
    parsed.samples.push_back({match[1], parse_labels(match[2]), number});
    EXPECT_TRUE(seen.emplace(match[1], parsed.samples.back().labels).second) << "twice: " << line;
  }
  return parsed;
}

}  // namespace brownout::testing
