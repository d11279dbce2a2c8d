#pragma once

// The glossary's tables, one for each file that holds a part of it.

#include <span>

#include "reports/glossary/glossary.hpp"

namespace brownout::reports {

std::span<const Entry> metric_entries();
std::span<const Entry> outcome_entries();  ///< with classes, ends and exit codes
std::span<const Entry> word_entries();

}  // namespace brownout::reports
