// Rules about the sources themselves, kept by a test because a reviewer forgets: which room may
// include which, and what would make a run depend on anything but its inputs. Each rule has an
// example that it must catch, so that none of them can die silently.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

struct Source {
  std::string path;  // from the root, with slashes
  std::string text;
};

std::vector<Source> sources() {
  std::vector<Source> found;
  for (const char* room :
       {"engine", "mockserver", "sim", "twin", "reports", "cli", "bench", "examples", "tests"}) {
    for (const auto& entry : fs::recursive_directory_iterator(room)) {
      const auto extension = entry.path().extension();
      if (extension != ".hpp" && extension != ".cpp") continue;
      std::ifstream file(entry.path());
      std::ostringstream text;
      text << file.rdbuf();
      found.push_back({entry.path().generic_string(), text.str()});
    }
  }
  std::ranges::sort(found, {}, &Source::path);
  return found;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// The text without comments and string contents, same lines.
std::string code_of(const std::string& text) {
  std::string code;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 2, "//") == 0) {
      while (i < text.size() && text[i] != '\n') ++i;
      code += '\n';
    } else if (text[i] == '"' && code.find("#include", code.rfind('\n') + 1) == code.npos) {
      code += "\"\"";
      for (++i; i < text.size() && text[i] != '"' && text[i] != '\n'; ++i) {
        if (text[i] == '\\') ++i;
      }
    } else {
      code += text[i];
    }
  }
  return code;
}

bool under(const std::string& path, const std::vector<std::string>& prefixes) {
  return std::ranges::any_of(prefixes, [&](const std::string& p) { return path.starts_with(p); });
}

// --- which room may include which --------------------------------------------------------------

// The longest prefix of a file's path decides.
const std::map<std::string, std::vector<std::string>> may_include{
    {"engine/core/", {"engine/core/"}},
    {"engine/runtime/", {"engine/core/", "engine/runtime/"}},
    {"engine/transport/", {"engine/core/", "engine/runtime/", "engine/transport/"}},
    {"engine/transport/http/",
     {"engine/core/", "engine/policy/", "engine/runtime/", "engine/transport/"}},
    {"engine/store/", {"engine/core/", "engine/runtime/", "engine/store/"}},
    {"engine/telemetry/", {"engine/core/", "engine/transport/", "engine/telemetry/"}},
    {"engine/policy/",
     {"engine/core/", "engine/store/", "engine/telemetry/", "engine/transport/", "engine/policy/"}},
    {"engine/policy_file/", {"engine/core/", "engine/policy/", "engine/policy_file/"}},
    {"engine/pipeline/", {"engine/"}},
    {"engine/client/", {"engine/"}},
    {"engine/connections/", {"engine/"}},
    {"mockserver/", {"engine/core/", "mockserver/"}},
    {"sim/kernel/", {"engine/core/", "engine/runtime/", "sim/kernel/"}},
    {"sim/", {"engine/", "mockserver/", "sim/"}},
    {"twin/", {"engine/", "mockserver/", "sim/", "twin/"}},
    {"reports/", {"engine/core/", "sim/result.hpp", "sim/histogram.hpp", "reports/"}},
    {"reports/comparison/",
     {"engine/core/", "sim/result.hpp", "reports/comparison/", "reports/text/"}},
    {"reports/gate/",
     {"engine/core/", "sim/result.hpp", "reports/gate/", "reports/result/", "reports/text/"}},
    {"reports/glossary/", {"engine/core/", "reports/glossary/"}},
    {"reports/result/",
     {"engine/core/", "sim/result.hpp", "sim/histogram.hpp", "reports/result/", "reports/text/"}},
    {"reports/text/", {"engine/core/", "sim/result.hpp", "reports/text/"}},
    {"reports/trace/",
     {"engine/core/", "engine/telemetry/observer.hpp", "reports/text/", "reports/trace/"}},
    {"cli/", {"engine/", "mockserver/", "sim/", "twin/", "reports/", "cli/"}},
    {"bench/", {""}},
    {"examples/", {"engine/", "examples/"}},
    {"tests/", {""}},
};

const std::vector<std::string>& allowed_for(const std::string& path) {
  const std::vector<std::string>* best = nullptr;
  std::size_t length = 0;
  for (const auto& [prefix, allowed] : may_include) {
    if (!path.starts_with(prefix) || prefix.size() < length) continue;
    best = &allowed;
    length = prefix.size();
  }
  EXPECT_NE(best, nullptr) << path << " is in no room that this test knows";
  static const std::vector<std::string> nothing;
  return best != nullptr ? *best : nothing;
}

std::vector<std::string> includes_of(const std::string& text) {
  static const std::regex quoted(R"re(^\s*#include "([^"]+)")re");
  std::vector<std::string> found;
  for (const std::string& line : lines_of(text)) {
    std::smatch match;
    if (std::regex_search(line, match, quoted)) found.push_back(match[1]);
  }
  return found;
}

std::vector<std::string> wrong_includes(const Source& source) {
  std::vector<std::string> wrong;
  for (const std::string& include : includes_of(source.text)) {
    if (!under(include, allowed_for(source.path))) wrong.push_back(include);
  }
  return wrong;
}

TEST(Rooms, IncludeOnlyWhatTheArrowsAllow) {
  for (const Source& source : sources()) {
    for (const std::string& include : wrong_includes(source)) {
      ADD_FAILURE() << source.path << " must not include " << include;
    }
  }
}

TEST(Rooms, AWrongArrowIsCaught) {
  EXPECT_EQ(wrong_includes({"engine/policy/x.cpp", "#include \"sim/run.hpp\"\n"}).size(), 1U);
  EXPECT_EQ(wrong_includes({"mockserver/x.cpp", "#include \"engine/policy/retry.hpp\"\n"}).size(),
            1U);
  EXPECT_EQ(wrong_includes({"reports/x.cpp", "#include \"sim/run.hpp\"\n"}).size(), 1U);
  EXPECT_EQ(wrong_includes({"sim/x.cpp", "#include \"twin/twin.hpp\"\n"}).size(), 1U);
  EXPECT_EQ(wrong_includes({"reports/x.cpp", "#include \"sim/result.hpp\"\n"}).size(), 0U);
}

// --- what must not be written where ------------------------------------------------------------

struct Ban {
  std::string name;
  std::regex pattern;
  std::string instead;
  std::vector<std::string> where;
  std::vector<std::string> except;
  std::string example;  // a line that must be caught
};

const std::vector<std::string> deterministic{"engine/", "sim/", "mockserver/"};
const std::vector<std::string> real_world{"engine/runtime/asio", "engine/transport/http",
                                          "engine/store/redis", "engine/telemetry/",
                                          "mockserver/http/sockets"};

const std::vector<Ban>& bans() {
  static const std::vector<Ban> list{
      {"real clock", std::regex(R"(_clock::now|\btime\s*\(\s*(NULL|nullptr|0)|gettimeofday)"),
       "Runtime::now()", deterministic, real_world, "auto t = std::chrono::steady_clock::now();"},
      {"sleeping", std::regex(R"(\bsleep_(for|until)\b|\busleep\b)"), "Runtime::arm()",
       deterministic, real_world, "std::this_thread::sleep_for(1s);"},
      {"shared randomness",
       std::regex(R"(\bs?rand\s*\(|random_device|mt19937|minstd_rand)"),
       "DrawFamily (engine/core/draw.hpp)",
       deterministic,
       {},
       "int x = rand();"},
      {"a distribution whose results differ between libraries",
       std::regex(R"(std::\w+_distribution\b|std::shuffle\b|std::sample\b)"),
       "Boost.Random, or Draws::below and between",
       deterministic,
       {},
       "std::normal_distribution<double> d;"},
      {"a thread", std::regex(R"(std::(jthread|thread|async)\b|pthread_create)"), "the Runtime",
       deterministic, real_world, "std::thread t(f);"},
      {"an Asio timer",
       std::regex(
           R"(steady_timer|system_timer|deadline_timer|basic_waitable_timer|cancel_a(fter|t)\b)"),
       "Runtime::arm() or sim/kernel/wait.hpp", deterministic, real_world,
       "boost::asio::steady_timer t(ctx);"},
      {"the locale",
       std::regex(R"(setlocale|std::locale|\bimbue\b|\b(s|sn|f)?printf\s*\()"),
       "fmt",
       deterministic,
       {"engine/core/check.cpp"},
       "std::sprintf(buffer, format);"},
      {"ordering by address",
       std::regex(
           R"(std::(set|map|priority_queue)<\s*(const\s+)?\w+(::\w+)*\s*\*|std::less<\s*\w+\s*\*)"),
       "a number",
       deterministic,
       {},
       "std::set<Call*> calls;"},
      {"fused or fast arithmetic",
       std::regex(R"(std::fma\b|fast-math|FP_CONTRACT)"),
       "plain + and *",
       deterministic,
       {},
       "x = std::fma(a, b, c);"},
      {"libm in policy arithmetic",
       std::regex(R"(std::(pow|exp|exp2|log|log2|log10|tanh|sinh|cosh|cbrt|sin|cos|tan)\s*\()"),
       "engine/core/math.hpp",
       {"engine/"},
       {},
       "double d = std::pow(2, n);"},
      {"all of Asio",
       std::regex(R"(#include <boost/asio\.hpp>)"),
       "the one header needed",
       {""},
       {"tests/tidy/"},
       "#include <boost/asio.hpp>"},
      {"a switch on outcomes that hides new ones",
       std::regex(R"(^\s*default\s*:)"),
       "a case for each enumerator",
       {"engine/", "sim/", "mockserver/", "reports/", "cli/"},
       {"engine/core/document"},
       "    default: return 0;"},
  };
  return list;
}

bool applies(const Ban& ban, const std::string& path) {
  return under(path, ban.where) && !under(path, ban.except);
}

TEST(Bans, NothingBannedIsWritten) {
  for (const Source& source : sources()) {
    const auto lines = lines_of(code_of(source.text));
    for (const Ban& ban : bans()) {
      if (!applies(ban, source.path)) continue;
      for (std::size_t i = 0; i < lines.size(); ++i) {
        EXPECT_FALSE(std::regex_search(lines[i], ban.pattern))
            << source.path << ":" << i + 1 << ": " << ban.name << " is banned here; use "
            << ban.instead;
      }
    }
  }
}

TEST(Bans, EachCatchesItsExample) {
  for (const Ban& ban : bans()) {
    EXPECT_TRUE(std::regex_search(ban.example, ban.pattern)) << ban.name;
    EXPECT_TRUE(applies(ban, ban.where.front() + "example.cpp")) << ban.name;
  }
}

TEST(Headers, StayLight) {
  static const std::regex heavy(
      R"(#include <(nlohmann/json\.hpp|httplib\.h|boost/asio\.hpp|prometheus/.*|spdlog/.*)>)");
  for (const Source& source : sources()) {
    if (!source.path.ends_with(".hpp") || source.path.starts_with("tests/")) continue;
    EXPECT_FALSE(std::regex_search(source.text, heavy))
        << source.path << " includes a header that takes a second to compile";
    EXPECT_TRUE(source.text.starts_with("#pragma once")) << source.path;
  }
}

// --- iteration over unordered containers -------------------------------------------------------

std::set<std::string> unordered_names(const std::vector<Source>& all) {
  static const std::regex declaration(R"(unordered_(?:map|set)<[^;]*>\s+(\w+)\s*(;|\{|=))");
  std::set<std::string> names;
  for (const Source& source : all) {
    const std::string code = code_of(source.text);
    for (std::sregex_iterator match(code.begin(), code.end(), declaration), end; match != end;
         ++match) {
      names.insert((*match)[1]);
    }
  }
  return names;
}

bool iterates(const std::string& code, const std::string& name) {
  const std::regex loop(R"(for\s*\([^;)]*:\s*(this->|\w+(\.|->))*)" + name + R"(\s*\)|\b)" + name +
                        R"(\.c?begin\s*\()");
  return std::regex_search(code, loop);
}

TEST(Bans, NoIterationOverUnorderedContainers) {
  const std::vector<Source> all = sources();
  std::size_t known = 0;
  for (const Source& source : all) {
    if (!under(source.path, deterministic)) continue;
    // What a file declares, its header does: members are iterated in the .cpp beside it.
    const std::string stem = source.path.substr(0, source.path.rfind('.'));
    std::vector<Source> pair;
    std::ranges::copy_if(all, std::back_inserter(pair), [&](const Source& other) {
      return other.path == stem + ".hpp" || other.path == stem + ".cpp";
    });
    for (const std::string& name : unordered_names(pair)) {
      ++known;
      EXPECT_FALSE(iterates(code_of(source.text), name))
          << source.path << " iterates over " << name;
    }
  }
  EXPECT_GT(known, 0U) << "the pattern finds no container at all any more";
}

TEST(Bans, IterationOverAnUnorderedContainerIsCaught) {
  const auto names = unordered_names({{"x", "std::unordered_map<int, std::vector<int>> index_;"}});
  ASSERT_EQ(names, std::set<std::string>{"index_"});
  EXPECT_TRUE(iterates("for (auto& [key, value] : index_) {}", "index_"));
  EXPECT_TRUE(iterates("auto i = index_.begin();", "index_"));
  EXPECT_FALSE(iterates("index_.find(3);", "index_"));
}

// --- two draws in one expression ---------------------------------------------------------------

std::vector<std::string> statements_with_two_draws(const std::string& text) {
  static const std::regex draw(R"((\.|->)(draw|draw_sum|below|between|chance)\s*\(|\bdraws\(\))");
  std::vector<std::string> found;
  std::string statement;
  for (const char letter : code_of(text) + ";") {
    if (letter != ';' && letter != '{' && letter != '}') {
      statement += letter;
      continue;
    }
    const std::sregex_iterator first(statement.begin(), statement.end(), draw);
    // The arms of ?: exclude each other.
    const bool exclusive = statement.find('?') != std::string::npos;
    if (std::distance(first, std::sregex_iterator()) > 1 && !exclusive) found.push_back(statement);
    statement.clear();
  }
  return found;
}

TEST(Bans, NoTwoDrawsInOneExpression) {
  for (const Source& source : sources()) {
    if (!under(source.path, deterministic)) continue;
    for (const std::string& statement : statements_with_two_draws(source.text)) {
      ADD_FAILURE() << source.path << ": the order of these draws is unspecified:" << statement;
    }
  }
}

TEST(Bans, TwoDrawsInOneExpressionAreCaught) {
  EXPECT_EQ(statements_with_two_draws("x = f(draws.below(2), draws.below(3));").size(), 1U);
  EXPECT_EQ(statements_with_two_draws("x = draws.below(2); y = draws.below(3);").size(), 0U);
}

// --- size --------------------------------------------------------------------------------------

TEST(Style, LinesFitAScreen) {
  for (const Source& source : sources()) {
    const auto lines = lines_of(source.text);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      // Characters, not bytes: continuation bytes do not count.
      const auto width = std::ranges::count_if(
          lines[i], [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; });
      EXPECT_LE(width, 100) << source.path << ":" << i + 1;
    }
  }
}

TEST(Style, FilesAreASittingOrSayWhyNot) {
  for (const Source& source : sources()) {
    if (source.path.starts_with("tests/")) continue;
    const auto lines = lines_of(source.text);
    const bool says_why = source.text.substr(0, 1500).find("One file because") != std::string::npos;
    EXPECT_TRUE(lines.size() <= 520 || says_why)
        << source.path << " has " << lines.size() << " lines";
  }
}

TEST(Style, NothingIsLeftToDo) {
  static const std::regex unfinished(std::string("\\b(TO") + "DO|FIX" + "ME|XX" + "X|HA" +
                                     "CK)\\b");
  for (const Source& source : sources()) {
    EXPECT_FALSE(std::regex_search(source.text, unfinished)) << source.path;
  }
}

}  // namespace
