#pragma once

// Results as one page for a browser.

#include <string>
#include <vector>

#include "sim/result.hpp"

namespace brownout::reports {

/// A self-contained HTML document: it asks for nothing, so it opens from a file and without a
/// network. One run is shown at once; of several there is an index, and #run-1, #run-2, … lead to
/// each. The same results give the same bytes, read back from to_json() or not; nothing in it
/// depends on real time. Runs without a timeline or samples say so where these would be.
std::string to_html(const std::vector<sim::RunResult>& runs);

}  // namespace brownout::reports
