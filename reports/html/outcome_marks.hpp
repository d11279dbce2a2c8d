#pragma once

// How an outcome is drawn: a letter, and a color that says what a policy may do about it.

#include <set>
#include <string>
#include <string_view>

#include "engine/core/outcome.hpp"

namespace brownout::reports::html {

struct OutcomeMark {
  char letter;            ///< unique among outcomes
  std::string_view tone;  ///< "ok", "warn", "bad" or "dim": a class of report.css
};

OutcomeMark mark_of(OutcomeKind kind);

/// What the letters of these outcomes mean, as a list.
std::string legend_of(const std::set<OutcomeKind>& kinds);

}  // namespace brownout::reports::html
