#pragma once

#include <string>

#include "reports/comparison/comparison.hpp"

namespace brownout::reports {

/// The comparison as a page of its own: the trade-off of cost against availability, the scores and
/// the matrix, in which a metric can be chosen. A cell leads to its run's page where there is one
/// (Cell::report). As to_html(): self-contained, the same bytes for the same comparison.
std::string comparison_page(const Comparison& comparison);

}  // namespace brownout::reports
