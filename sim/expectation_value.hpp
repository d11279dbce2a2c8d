#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sim/expectation.hpp"

namespace brownout::sim {

/// "12", "0.5", "99.95": at most nine digits on either side of the point; exact. A number without
/// a point may have `whole_digits_max` digits. Requires: whole_digits_max <= 18.
std::optional<Quantity> parse_decimal(std::string_view text, std::size_t whole_digits_max = 9);

/// Whether `actual` stands in the relation to `threshold`. Exact.
bool compare(const Quantity& actual, Comparison comparison, const Quantity& threshold);

}  // namespace brownout::sim
