#include "tests/support/mockserver/wire_faults.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

#include "mockserver/wire_fault.hpp"

namespace brownout::mock::testing {

using Place = WirePoint::Place;

std::vector<std::string> all_faults() {
  std::vector<std::string> faults;
  const auto with_points = [&](const std::string& what, auto allows) {
    faults.push_back(what);
    for (const char* place :
         {"before_accept", "after_accept", "before_headers", "after_headers", "final_frame"}) {
      const auto& places = wire_places();
      const auto index = std::find(places.begin(), places.end(), place) - places.begin();
      if (allows(static_cast<Place>(index))) {
        faults.push_back(fmt::format(R"({}, "at": "{}")", what, place));
      }
    }
    const auto counted = [&](Place place, std::initializer_list<const char*> amounts) {
      if (!allows(place)) return;
      for (const char* amount : amounts) {
        faults.push_back(fmt::format(R"({}, "at": {{"{}": {}}})", what,
                                     wire_places()[static_cast<std::size_t>(place)], amount));
      }
    };
    counted(Place::frames, {"1", "4", "11", "12"});
    counted(Place::bytes, {"1", "13", "16", "87", "88", "89"});
    counted(Place::time, {R"("40ms")", R"("100ms")", R"("155ms")", R"("5s")"});
  };
  for (std::size_t i = 1; i < wire_word_count; ++i) {
    const auto word = static_cast<WireWord>(i);
    with_points(fmt::format(R"("wire": "{}")", to_string(word)),
                [&](Place place) { return wire_rule(word).allows(place); });
    if (!wire_rule(word).allows(Place::frames)) continue;
    for (const char* share : {"0", "0.5", "1", R"("uniform")"}) {
      faults.push_back(fmt::format(R"("wire": "{}", "after_share": {})", to_string(word), share));
    }
  }
  for (const char* kind : {"overloaded", "rate_limited", "malformed_reply", "stream_truncated"}) {
    with_points(fmt::format(R"("error": "{}")", kind), [](Place place) {
      return place == Place::after_headers || place == Place::frames || place == Place::time ||
             place == Place::final_frame;
    });
    for (const char* share : {"0", "0.5", "1"}) {
      faults.push_back(fmt::format(R"("error": "{}", "after_share": {})", kind, share));
    }
  }
  for (const char* effect : {"outage", "unreachable", "hang"}) {
    faults.push_back(fmt::format(R"("{}": true)", effect));
  }
  faults.emplace_back(R"("error": "connection")");
  return faults;
}

}  // namespace brownout::mock::testing
