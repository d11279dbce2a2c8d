#include "cli/tolerance_option.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "engine/core/document.hpp"

namespace brownout::cli {
namespace {

std::optional<double> parse_percent(std::string_view text) {
  if (!text.ends_with('%')) return std::nullopt;
  text.remove_suffix(1);
  if (text.empty() || text.find_first_not_of("0123456789.") != text.npos) return std::nullopt;
  double percent = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), percent);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return percent <= 100 ? std::optional(percent / 100) : std::nullopt;
}

}  // namespace

Result<reports::Tolerances> parse_tolerances(const std::vector<std::string>& texts,
                                             const std::vector<std::string>& measures) {
  reports::Tolerances tolerances;
  for (const std::string& text : texts) {
    const auto equals = text.rfind('=');
    const auto share = parse_percent(text.substr(equals == text.npos ? 0 : equals + 1));
    if (!share) {
      return fail(ErrorKind::invalid,
                  fmt::format("--tolerance {}: expected 2% or MEASURE=2%, from 0% to 100%", text));
    }
    if (equals == text.npos) {
      tolerances.relative = *share;
      continue;
    }
    const std::string measure = text.substr(0, equals);
    if (std::ranges::find(measures, measure) == measures.end()) {
      return fail(ErrorKind::invalid,
                  fmt::format("--tolerance {}: nothing measures \"{}\"; {}", text, measure,
                              expected_one_of(measure, {measures.begin(), measures.end()})));
    }
    tolerances.special[measure] = *share;
  }
  return tolerances;
}

}  // namespace brownout::cli
