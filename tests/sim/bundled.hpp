#pragma once

// The scenarios that ship, with the policies that ship. Paths count from the project's root.

#include <fstream>
#include <sstream>
#include <string>

#include "tests/sim/lab.hpp"

namespace brownout::sim::testing {

inline std::string file_text(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path << ": run this from the project's root";
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline Scenario bundled_scenario(const std::string& name) {
  return loaded(load_scenario("scenarios/" + name + ".json"));
}

/// The same incident with a twentieth of the calls, for builds in which all of them take long.
inline Scenario thinned_scenario(const std::string& name) {
  const std::string path = "scenarios/" + name + ".json";
  std::string text = file_text(path);
  const std::string rate = R"("20/s")";
  const auto found = text.find(rate);
  EXPECT_NE(found, std::string::npos) << path << " has another rate";
  if (found != std::string::npos) text.replace(found, rate.size(), R"("1/s")");
  return loaded(parse_scenario(path, text));
}

inline Policy bundled_policy(const std::string& name) {
  return loaded(load_policy("scenarios/policies/" + name + ".json"));
}

}  // namespace brownout::sim::testing
