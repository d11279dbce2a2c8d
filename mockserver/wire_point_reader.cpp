#include "mockserver/wire_point_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

namespace brownout::mock {
namespace {

constexpr std::int64_t most = 1'000'000'000;

WirePoint::Place place_of(std::string_view word) {
  const auto& places = wire_places();
  const auto found = std::find(places.begin(), places.end(), word);
  return static_cast<WirePoint::Place>(found - places.begin());
}

bool read_count(const Node& node, const std::vector<std::string_view>& counts, Problems& problems,
                WirePoint& point) {
  if (node.members.size() != 1) {
    problems.add(node, "a point has exactly one measure",
                 fmt::format("one of: {}", fmt::join(counts, ", ")));
    return false;
  }
  const Node::Member& member = node.members.front();
  if (std::find(counts.begin(), counts.end(), member.key) == counts.end()) {
    problems.add(*node.document, member.key_span,
                 fmt::format("this fault cannot happen at \"{}\"", member.key),
                 expected_one_of(member.key, counts));
    return false;
  }
  point.place = place_of(member.key);
  if (point.place != WirePoint::Place::time) {
    return read_integer(member.value, problems, point.amount, 1, most);
  }
  Duration time{};
  if (!read_duration(member.value, problems, time, Duration{1})) return false;
  point.amount = time.count();
  return true;
}

}  // namespace

bool read_wire_point(const Node& node, std::uint8_t places, Problems& problems, WirePoint& out) {
  std::vector<std::string_view> words;
  std::vector<std::string_view> counts;
  for (std::size_t i = 0; i < wire_place_count; ++i) {
    if ((places >> i & 1U) == 0) continue;
    (takes_amount(static_cast<WirePoint::Place>(i)) ? counts : words).push_back(wire_places()[i]);
  }
  if (node.type == Node::Type::object && !counts.empty()) {
    return read_count(node, counts, problems, out);
  }
  if (words.empty()) {
    problems.add(node, fmt::format("expected an object but found {}", describe(node.type)),
                 fmt::format("one of: {}", fmt::join(counts, ", ")));
    return false;
  }
  std::size_t word = 0;
  if (!read_word(node, problems, words, word)) return false;
  out.place = place_of(words[word]);
  return true;
}

}  // namespace brownout::mock
