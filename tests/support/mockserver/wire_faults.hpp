#pragma once

#include <string>
#include <vector>

namespace brownout::mock::testing {

/// The members of a fault, as files spell them, for every word of the vocabulary at every place it
/// allows, and for every way in which an error can come. Amounts are chosen for replies of 11
/// tokens of which the first leaves after 100 ms and the next every 10 ms: within them, at their
/// end, and beyond.
std::vector<std::string> all_faults();

}  // namespace brownout::mock::testing
