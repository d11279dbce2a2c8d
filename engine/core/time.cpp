#include "engine/core/time.hpp"

#include <fmt/format.h>

#include <array>

namespace brownout {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t nanoseconds;
};

constexpr std::uint64_t microsecond = 1'000;
constexpr std::uint64_t millisecond = 1'000'000;
constexpr std::uint64_t second = 1'000'000'000;
constexpr std::uint64_t minute = 60 * second;
constexpr std::uint64_t hour = 60 * minute;
constexpr std::uint64_t day = 24 * hour;

// From large to small, the order in which a duration is spelled.
constexpr std::array<Unit, 7> units{{{"d", day},
                                     {"h", hour},
                                     {"m", minute},
                                     {"s", second},
                                     {"ms", millisecond},
                                     {"us", microsecond},
                                     {"ns", 1}}};

constexpr auto longest = static_cast<std::uint64_t>(Duration::max().count());

__extension__ using Wide = unsigned __int128;

// A decimal fraction of a day that is a whole number of nanoseconds has at most 16 digits, because
// a day is 2^16 * 5^11 * 27 ns and the last digit is not zero.
constexpr std::size_t most_fraction_digits = 16;

std::string_view take_digits(std::string_view& text) {
  std::size_t count = 0;
  while (count < text.size() && text[count] >= '0' && text[count] <= '9') ++count;
  const std::string_view digits = text.substr(0, count);
  text.remove_prefix(count);
  return digits;
}

std::string_view take_letters(std::string_view& text) {
  std::size_t count = 0;
  while (count < text.size() && text[count] >= 'a' && text[count] <= 'z') ++count;
  const std::string_view letters = text.substr(0, count);
  text.remove_prefix(count);
  return letters;
}

/// The value of `digits`, or one more than `longest` when it is larger than that.
Wide value_of(std::string_view digits) {
  Wide value = 0;
  for (const char digit : digits) {
    value = value * 10 + static_cast<unsigned>(digit - '0');
    if (value > longest) return Wide{longest} + 1;
  }
  return value;
}

/// "0.`digits`" of a unit, in nanoseconds; empty when that is not a whole number of them.
std::optional<Wide> fraction_of(std::string_view digits, std::uint64_t unit) {
  while (!digits.empty() && digits.back() == '0') digits.remove_suffix(1);
  if (digits.size() > most_fraction_digits) return std::nullopt;
  Wide scale = 1;
  for (std::size_t i = 0; i < digits.size(); ++i) scale *= 10;
  const Wide scaled = value_of(digits) * unit;
  if (scaled % scale != 0) return std::nullopt;
  return scaled / scale;
}

/// `value` counted in units of `unit`, exactly: decimal(1500, 1000) is "1.5". Requires: `unit` is a
/// power of ten.
std::string decimal(std::uint64_t value, std::uint64_t unit) {
  std::string text = fmt::format("{}", value / unit);
  std::uint64_t rest = value % unit;
  if (rest == 0) return text;
  text += '.';
  for (std::uint64_t digit = unit / 10; rest != 0; digit /= 10) {
    text += static_cast<char>('0' + rest / digit);
    rest %= digit;
  }
  return text;
}

/// "644ms": a value below a minute, in the largest unit of which it holds at least one.
std::string in_one_unit(std::uint64_t value) {
  for (const Unit& unit : units) {
    if (unit.nanoseconds <= second && value >= unit.nanoseconds) {
      return decimal(value, unit.nanoseconds) + std::string(unit.name);
    }
  }
  return "0s";
}

std::uint64_t magnitude(Duration duration) {
  const auto bits = static_cast<std::uint64_t>(duration.count());
  return duration < Duration{0} ? 0 - bits : bits;
}

/// How finely a value is told: the third significant digit below a minute, then the smaller of the
/// two units that are shown.
std::uint64_t grain(std::uint64_t value) {
  if (value >= day) return hour;
  if (value >= hour) return minute;
  if (value >= minute) return second;
  std::uint64_t step = 1;
  while (value / step >= 1000) step *= 10;
  return step;
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  Wide total = 0;
  std::size_t next_unit = 0;
  while (!text.empty()) {
    const std::string_view whole = take_digits(text);
    if (whole.empty()) return std::nullopt;
    std::string_view fraction;
    if (text.starts_with('.')) {
      text.remove_prefix(1);
      fraction = take_digits(text);
      if (fraction.empty()) return std::nullopt;
    }
    const std::string_view name = take_letters(text);
    while (next_unit < units.size() && units[next_unit].name != name) ++next_unit;
    if (next_unit == units.size()) return std::nullopt;
    const std::uint64_t unit = units[next_unit++].nanoseconds;
    const std::optional<Wide> rest = fraction_of(fraction, unit);
    if (!rest) return std::nullopt;
    total += value_of(whole) * unit + *rest;
    if (total > longest) return std::nullopt;
  }
  return Duration{static_cast<std::int64_t>(total)};
}

std::string format_duration(Duration duration) {
  std::string text = duration < Duration{0} ? "-" : "";
  std::uint64_t rest = magnitude(duration);
  if (rest < minute) return text + in_one_unit(rest);
  if (rest >= hour) text += fmt::format("{}h", rest / hour);
  rest %= hour;
  if (rest >= minute) text += fmt::format("{}m", rest / minute);
  rest %= minute;
  if (rest > 0) text += decimal(rest, second) + "s";
  return text;
}

std::string format_duration_short(Duration duration) {
  const std::string sign = duration < Duration{0} ? "-" : "";
  const std::uint64_t exact = magnitude(duration);
  const std::uint64_t step = grain(exact);
  const std::uint64_t value = (exact + step / 2) / step * step;
  if (value >= day) return fmt::format("{}{}d{:02}h", sign, value / day, value % day / hour);
  if (value >= hour) return fmt::format("{}{}h{:02}m", sign, value / hour, value % hour / minute);
  if (value >= minute) {
    return fmt::format("{}{}m{:02}s", sign, value / minute, value % minute / second);
  }
  return sign + in_one_unit(value);
}

}  // namespace brownout
