#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <limits>
#include <numeric>

#include "engine/core/document.hpp"
#include "engine/core/document_text.hpp"

namespace brownout {
namespace {

/// What a converter came upon: "the number 250", "an array".
std::string found(const Node& node) {
  switch (node.type) {
    case Node::Type::null:
      return "null";
    case Node::Type::boolean:
      return node.boolean ? "true" : "false";
    case Node::Type::number:
      return "the number " + node.text;
    case Node::Type::string:
      return "the string " + quoted(node.text);
    case Node::Type::array:
      return "an array";
    case Node::Type::object:
      return "an object";
  }
  return "";
}

bool refuse(const Node& node, Problems& problems, std::string_view expected,
            std::string note = {}) {
  problems.add(node, fmt::format("expected {} but found {}", expected, found(node)),
               std::move(note));
  return false;
}

/// Of a value that should hold others. A string in its place may be a key.
bool refuse_whole(const Node& node, Problems& problems, std::string_view expected) {
  if (node.type != Node::Type::string || !may_hold_keys(node.document->text())) {
    return refuse(node, problems, expected);
  }
  problems.add_unseen(*node.document, node.span,
                      fmt::format("expected {} but found a string", expected));
  return false;
}

/// "expected at least 1": an end of the range that no value can pass is left out.
template <class T>
std::string expected_range(const T& low, const T& high, const T& lowest, const T& highest,
                           std::string (*format)(T)) {
  if (low == high) return "expected " + format(low);
  if (high >= highest) return "expected at least " + format(low);
  if (low <= lowest) return "expected at most " + format(high);
  return "expected " + format(low) + " to " + format(high);
}

template <class T>
std::string format_plain(T value) {
  return fmt::format("{}", value);
}

char folded(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Optimal string alignment distance: changes, additions, omissions and swaps of neighbours.
std::size_t distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> before_last(right.size() + 1);
  std::vector<std::size_t> last(right.size() + 1);
  std::vector<std::size_t> row(right.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  const auto same = [&](std::size_t i, std::size_t j) {
    return folded(left[i]) == folded(right[j]);
  };
  for (std::size_t i = 0; i < left.size(); ++i) {
    before_last.swap(last);
    last.swap(row);
    row[0] = i + 1;
    for (std::size_t j = 0; j < right.size(); ++j) {
      row[j + 1] = std::min({last[j + 1] + 1, row[j] + 1, last[j] + (same(i, j) ? 0U : 1U)});
      if (i > 0 && j > 0 && same(i, j - 1) && same(i - 1, j)) {
        row[j + 1] = std::min(row[j + 1], before_last[j - 1] + 1);
      }
    }
  }
  return row[right.size()];
}

}  // namespace

std::optional<std::string_view> nearest(std::string_view text,
                                        const std::vector<std::string_view>& candidates) {
  std::optional<std::string_view> best;
  std::size_t best_distance = 0;
  for (const std::string_view candidate : candidates) {
    const std::size_t letters = std::max(text.size(), candidate.size());
    const std::size_t difference =
        std::max(text.size(), candidate.size()) - std::min(text.size(), candidate.size());
    if (3 * difference > letters) continue;
    const std::size_t away = distance(text, candidate);
    if (3 * away > letters || (best && away >= best_distance)) continue;
    best = candidate;
    best_distance = away;
  }
  return best;
}

std::string expected_one_of(std::string_view text,
                            const std::vector<std::string_view>& candidates) {
  if (candidates.empty()) return "";
  if (const auto near = nearest(text, candidates)) {
    return fmt::format("did you mean {}?", quoted(*near));
  }
  if (candidates.size() == 1) return "expected " + quoted(candidates.front());
  return fmt::format("expected one of: {}", fmt::join(candidates, ", "));
}

ObjectReader::ObjectReader(const Node& node, Problems& problems)
    : node_(node), problems_(problems) {
  if (node.type != Node::Type::object) refuse_whole(node, problems, "an object");
}

const Node* ObjectReader::optional(std::string_view key) {
  known_.push_back(key);
  return node_.find(key);
}

const Node* ObjectReader::required(std::string_view key) {
  const Node* value = optional(key);
  if (value == nullptr && node_.type == Node::Type::object) missing_.push_back(key);
  return value;
}

void ObjectReader::finish() {
  std::vector<std::string_view> absent;
  for (const std::string_view key : known_) {
    if (node_.find(key) == nullptr) absent.push_back(key);
  }
  std::vector<const Node::Member*> unknown;
  for (const Node::Member& member : node_.members) {
    if (std::find(known_.begin(), known_.end(), member.key) != known_.end()) continue;
    unknown.push_back(&member);
    // A key that is there under a misspelt name is one mistake, not two.
    if (const auto meant = nearest(member.key, absent)) std::erase(missing_, *meant);
  }
  for (const std::string_view key : missing_) {
    // The brace alone: an object on one line would be underlined from end to end.
    problems_.add(*node_.document, {node_.span.begin, node_.span.begin + 1},
                  fmt::format("missing key {}", quoted(key)), "expected in this object");
  }
  for (const Node::Member* member : unknown) {
    problems_.add(*node_.document, member->key_span, "unknown key " + quoted(member->key),
                  expected_one_of(member->key, absent));
  }
}

bool read_string(const Node& node, Problems& problems, std::string& out) {
  if (node.type != Node::Type::string) return refuse(node, problems, "a string");
  out = node.text;
  return true;
}

bool read_bool(const Node& node, Problems& problems, bool& out) {
  if (node.type != Node::Type::boolean) return refuse(node, problems, "true or false");
  out = node.boolean;
  return true;
}

bool read_integer(const Node& node, Problems& problems, std::int64_t& out, std::int64_t low,
                  std::int64_t high) {
  const bool whole =
      node.type == Node::Type::number && node.text.find_first_of(".eE") == std::string::npos;
  if (!whole) return refuse(node, problems, "a whole number");
  std::int64_t value = 0;
  const char* end = node.text.data() + node.text.size();
  const std::from_chars_result result = std::from_chars(node.text.data(), end, value);
  if (result.ec != std::errc{} || value < low || value > high) {
    using Limits = std::numeric_limits<std::int64_t>;
    problems.add(node, node.text + " is out of range",
                 expected_range(low, high, Limits::min(), Limits::max(), &format_plain));
    return false;
  }
  out = value;
  return true;
}

bool read_number(const Node& node, Problems& problems, double& out, double low, double high) {
  if (node.type != Node::Type::number) return refuse(node, problems, "a number");
  if (node.number < low || node.number > high) {
    using Limits = std::numeric_limits<double>;
    problems.add(node, node.text + " is out of range",
                 expected_range(low, high, Limits::lowest(), Limits::max(), &format_plain));
    return false;
  }
  out = node.number;
  return true;
}

namespace {

/// What someone who wrote a number where a duration belongs is likely to have meant: a few are
/// seconds, many may be seconds or milliseconds.
std::string with_unit(const std::string& number) {
  const std::optional<Duration> seconds = parse_duration(number + "s");
  const std::string milliseconds = number + "ms";
  if (!seconds || !parse_duration(milliseconds)) return "a duration is a number with its unit";
  if (*seconds < std::chrono::seconds(100)) {
    return fmt::format("did you mean {}?", quoted(number + "s"));
  }
  return fmt::format("did you mean {} or {}?", quoted(number + "s"), quoted(milliseconds));
}

/// Units as other tools spell them, without the plural's s.
constexpr std::pair<std::string_view, std::string_view> spelled_units[] = {
    {"day", "d"},          {"hour", "h"},   {"hr", "h"},    {"minute", "m"},
    {"min", "m"},          {"second", "s"}, {"sec", "s"},   {"milli", "ms"},
    {"millisecond", "ms"}, {"msec", "ms"},  {"usec", "us"}, {"microsecond", "us"}};

std::string repaired_duration(std::string_view text) {
  std::string compact;
  std::copy_if(text.begin(), text.end(), std::back_inserter(compact),
               [](char c) { return !is_space(c); });
  std::transform(compact.begin(), compact.end(), compact.begin(), &folded);
  if (!compact.empty() && std::all_of(compact.begin(), compact.end(), &is_digit)) {
    return with_unit(compact);
  }
  if (parse_duration(compact)) return fmt::format("did you mean {}?", quoted(compact));
  const std::size_t digits = compact.find_first_not_of("0123456789.");
  if (digits != compact.npos && digits > 0) {
    const std::string_view unit = std::string_view(compact).substr(digits);
    for (const auto& [word, meant] : spelled_units) {
      if (unit != word && unit != std::string(word) + "s") continue;
      const std::string repaired = compact.substr(0, digits) + std::string(meant);
      if (parse_duration(repaired)) return fmt::format("did you mean {}?", quoted(repaired));
    }
  }
  return "expected numbers with units (d, h, m, s, ms, us, ns), such as \"3h20m\"";
}

}  // namespace

bool read_duration(const Node& node, Problems& problems, Duration& out, Duration low,
                   Duration high) {
  constexpr std::string_view expected = "a duration such as \"250ms\"";
  if (node.type == Node::Type::number) {
    return refuse(node, problems, expected, with_unit(node.text));
  }
  if (node.type != Node::Type::string) return refuse(node, problems, expected);
  const std::optional<Duration> value = parse_duration(node.text);
  if (!value) return refuse(node, problems, expected, repaired_duration(node.text));
  if (*value < low || *value > high) {
    const bool positive = low == Duration{1} && high == forever;
    problems.add(node, quoted(node.text) + " is out of range",
                 positive ? "expected more than 0s"
                          : expected_range(low, high, Duration{0}, forever, &format_duration));
    return false;
  }
  out = *value;
  return true;
}

bool read_name(const Node& node, Problems& problems, std::string& out) {
  if (!read_string(node, problems, out)) return false;
  if (is_name(out)) return true;
  problems.add(node, quoted(out) + " is not a name", std::string(name_letters));
  return false;
}

namespace {

std::string with_article(std::string_view kind) {
  return fmt::format("{}{}", kind == "connections" ? "" : "a ", kind);
}

}  // namespace

bool read_header(const Node& root, ObjectReader& object, Problems& problems,
                 std::string_view kind) {
  const std::vector<std::string_view> kinds{"scenario", "policy", "baseline", "connections"};
  constexpr std::int64_t version = 1;
  object.optional("$schema", [&](const Node& node) {
    std::string ignored;
    read_string(node, problems, ignored);
  });
  const Node* claimed = object.optional("kind");
  object.required("version");
  if (root.type != Node::Type::object) return false;
  if (claimed == nullptr) {
    problems.add(*root.document, {root.span.begin, root.span.begin + 1}, "missing key \"kind\"",
                 fmt::format("expected one of: {}", fmt::join(kinds, ", ")));
    return false;
  }
  std::size_t word = 0;
  if (!read_word(*claimed, problems, kinds, word)) return false;
  if (kinds[word] != kind) {
    problems.add(*claimed, fmt::format("this file is {}, not {}", with_article(kinds[word]),
                                       with_article(kind)));
    return false;
  }
  const Node* node = root.find("version");
  std::int64_t number = version;
  using Limits = std::numeric_limits<std::int64_t>;
  if (node == nullptr || !read_integer(*node, problems, number, Limits::min(), Limits::max())) {
    return true;
  }
  if (number == version) return true;
  problems.add(*node, fmt::format("there is no version {} of the {} format", number, kind),
               fmt::format("expected {}", version));
  return false;
}

bool read_word(const Node& node, Problems& problems, const std::vector<std::string_view>& words,
               std::size_t& out) {
  if (node.type != Node::Type::string) {
    return refuse(node, problems, "a string",
                  fmt::format("expected one of: {}", fmt::join(words, ", ")));
  }
  const auto word = std::find(words.begin(), words.end(), node.text);
  if (word == words.end()) {
    problems.add(node, "unexpected value " + quoted(node.text), expected_one_of(node.text, words));
    return false;
  }
  out = static_cast<std::size_t>(word - words.begin());
  return true;
}

}  // namespace brownout
