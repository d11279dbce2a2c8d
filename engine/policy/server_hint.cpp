#include "engine/policy/server_hint.hpp"

#include <algorithm>
#include <array>

#include "engine/core/check.hpp"

namespace brownout {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr auto longest = static_cast<std::uint64_t>(Duration::max().count());
constexpr std::uint64_t millisecond = 1'000'000;
constexpr std::uint64_t second = 1'000'000'000;
constexpr std::uint64_t minute = 60 * second;
constexpr std::uint64_t hour = 60 * minute;
constexpr std::uint64_t day = 24 * hour;

// --- text -------------------------------------------------------------------------------------

constexpr bool is_digit(char letter) {
  return letter >= '0' && letter <= '9';
}

constexpr char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

constexpr bool is_letter(char letter) {
  return lower(letter) >= 'a' && lower(letter) <= 'z';
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

/// Removes `prefix` from the front of `text`, whatever its case.
bool take(std::string_view& text, std::string_view prefix) {
  if (!equal_ignoring_case(text.substr(0, prefix.size()), prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

template <class Predicate>
std::string_view take_while(std::string_view& text, Predicate predicate) {
  const auto end = std::ranges::find_if_not(text, predicate);
  const auto taken = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(taken.size());
  return taken;
}

/// Without the optional whitespace that HTTP allows around a value.
std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blank = " \t";
  const std::size_t begin = text.find_first_not_of(blank);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(blank) + 1 - begin);
}

// --- numbers ----------------------------------------------------------------------------------

/// digits * 10^scale, and a little more when `more` is set: nothing of what was written is lost to
/// rounding down.
struct Number {
  std::uint64_t digits = 0;
  std::int64_t scale = 0;
  bool more = false;
};

void append(Number& number, std::string_view digits, bool fraction) {
  constexpr std::uint64_t full = 1'000'000'000'000'000'000;
  for (const char letter : digits) {
    const auto digit = static_cast<unsigned>(letter - '0');
    if (number.digits < full) {
      number.digits = number.digits * 10 + digit;
      if (fraction) --number.scale;
    } else {
      number.more = number.more || digit != 0;
      if (!fraction) ++number.scale;
    }
  }
}

/// "12" or "12.5" at the front of `text`; a point without digits behind it is left there.
std::optional<Number> take_number(std::string_view& text) {
  const std::string_view whole = take_while(text, is_digit);
  if (whole.empty()) return std::nullopt;
  Number number;
  append(number, whole, false);
  if (text.size() > 1 && text[0] == '.' && is_digit(text[1])) {
    text.remove_prefix(1);
    append(number, take_while(text, is_digit), true);
  }
  return number;
}

/// The number times ten to the power that `text` spells ("e3", "E-05"); false for anything else.
bool scale_by_exponent(Number& number, std::string_view text) {
  if (!take(text, "e")) return false;
  const bool negative = take(text, "-");
  if (!negative) take(text, "+");
  if (text.empty() || !std::ranges::all_of(text, is_digit)) return false;
  constexpr std::int64_t enough = 1'000'000'000'000;
  std::int64_t exponent = 0;
  for (const char digit : text) exponent = std::min(enough, exponent * 10 + (digit - '0'));
  number.scale += negative ? -exponent : exponent;
  return true;
}

/// The number counted in units of `unit` nanoseconds, rounded up; `forever` when it is larger.
Duration count_in(const Number& number, std::uint64_t unit) {
  Wide value = Wide{number.digits} * unit;
  bool more = number.more;
  std::int64_t scale = number.scale;
  for (; scale < 0 && value != 0; ++scale) {
    more = more || value % 10 != 0;
    value /= 10;
  }
  for (; scale > 0 && value != 0 && value <= longest; --scale) value *= 10;
  if (more) ++value;
  if (value > longest) return forever;
  return Duration{static_cast<std::int64_t>(value)};
}

/// A header's whole value as a number of units.
std::optional<Duration> parse_number(std::string_view text, std::uint64_t unit) {
  std::optional<Number> number = take_number(text);
  if (!number) return std::nullopt;
  if (!text.empty() && !scale_by_exponent(*number, text)) return std::nullopt;
  return count_in(*number, unit);
}

// --- HTTP dates -------------------------------------------------------------------------------

constexpr std::array<std::string_view, 7> weekdays{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                   "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::size_t short_name = 3;

/// Reads the parts of a date from left to right; after the first that is not as expected, `good`
/// is false and stays so.
class DateReader {
 public:
  explicit DateReader(std::string_view text) : rest_(text) {}

  void literal(std::string_view text) { good_ = good_ && take(rest_, text); }

  void weekday(std::size_t length = std::string_view::npos) {
    good_ = good_ && std::ranges::any_of(weekdays, [&](std::string_view name) {
              return take(rest_, name.substr(0, length));
            });
  }

  unsigned month() {
    for (unsigned i = 0; good_ && i < months.size(); ++i) {
      if (take(rest_, months[i])) return i + 1;
    }
    good_ = false;
    return 0;
  }

  /// `width` digits. The first may be a blank when `padded`.
  unsigned number(std::size_t width, bool padded = false) {
    if (padded && take(rest_, " ")) --width;
    unsigned value = 0;
    for (std::size_t i = 0; i < width; ++i) {
      good_ = good_ && i < rest_.size() && is_digit(rest_[i]);
      if (!good_) return 0;
      value = value * 10 + static_cast<unsigned>(rest_[i] - '0');
    }
    rest_.remove_prefix(width);
    return value;
  }

  /// "08:49:37" as seconds of the day. A leap second is the second after it.
  std::chrono::seconds time_of_day() {
    const unsigned hours = number(2);
    literal(":");
    const unsigned minutes = number(2);
    literal(":");
    const unsigned seconds = number(2);
    good_ = good_ && hours < 24 && minutes < 60 && seconds <= 60;
    return std::chrono::hours{hours} + std::chrono::minutes{minutes} +
           std::chrono::seconds{seconds};
  }

  bool good_to_the_end() const { return good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

struct Date {
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  std::chrono::seconds time{};
};

/// The year with these last two digits that is at most 50 years ahead (RFC 9110, 5.6.7).
int full_year(unsigned last_two, SystemTime now) {
  const std::chrono::year_month_day today{std::chrono::floor<std::chrono::days>(now)};
  const int latest = static_cast<int>(today.year()) + 50;
  return latest - (latest - static_cast<int>(last_two)) % 100;
}

bool read_imf_fixdate(DateReader reader, Date& date) {
  reader.weekday(short_name);
  reader.literal(", ");
  date.day = reader.number(2);
  reader.literal(" ");
  date.month = reader.month();
  reader.literal(" ");
  date.year = static_cast<int>(reader.number(4));
  reader.literal(" ");
  date.time = reader.time_of_day();
  reader.literal(" GMT");
  return reader.good_to_the_end();
}

bool read_rfc850(DateReader reader, SystemTime now, Date& date) {
  reader.weekday();
  reader.literal(", ");
  date.day = reader.number(2);
  reader.literal("-");
  date.month = reader.month();
  reader.literal("-");
  date.year = full_year(reader.number(2), now);
  reader.literal(" ");
  date.time = reader.time_of_day();
  reader.literal(" GMT");
  return reader.good_to_the_end();
}

bool read_asctime(DateReader reader, Date& date) {
  reader.weekday(short_name);
  reader.literal(" ");
  date.month = reader.month();
  reader.literal(" ");
  date.day = reader.number(2, true);
  reader.literal(" ");
  date.time = reader.time_of_day();
  reader.literal(" ");
  date.year = static_cast<int>(reader.number(4));
  return reader.good_to_the_end();
}

std::optional<Duration> parse_date(std::string_view text, SystemTime now) {
  const DateReader reader(text);
  Date date;
  if (!read_imf_fixdate(reader, date) && !read_rfc850(reader, now, date) &&
      !read_asctime(reader, date)) {
    return std::nullopt;
  }
  const std::chrono::year_month_day ymd{std::chrono::year{date.year},
                                        std::chrono::month{date.month}, std::chrono::day{date.day}};
  if (!ymd.ok()) return std::nullopt;
  // In whole seconds, because the nanoseconds of a Duration end in the year 2262. The difference to
  // the second that has begun is the difference to now, rounded up.
  const std::chrono::sys_seconds then = std::chrono::sys_days{ymd} + date.time;
  const auto wait = then - std::chrono::floor<std::chrono::seconds>(now);
  if (wait.count() <= 0) return Duration{0};
  return count_in({.digits = static_cast<std::uint64_t>(wait.count())}, second);
}

// --- durations in sentences -------------------------------------------------------------------

struct Unit {
  std::uint64_t nanoseconds;
  std::array<std::string_view, 5> names;
};

// From large to small, the order in which a duration is spelled.
constexpr std::array<Unit, 7> units{{{day, {"d", "day", "days"}},
                                     {hour, {"h", "hr", "hrs", "hour", "hours"}},
                                     {minute, {"m", "min", "mins", "minute", "minutes"}},
                                     {second, {"s", "sec", "secs", "second", "seconds"}},
                                     {millisecond, {"ms", "millisecond", "milliseconds"}},
                                     {1'000, {"us"}},
                                     {1, {"ns"}}}};

/// Nanoseconds in the unit of this name; 0 when there is none.
std::uint64_t unit_named(std::string_view name) {
  for (const Unit& unit : units) {
    for (const std::string_view known : unit.names) {
      if (!name.empty() && equal_ignoring_case(name, known)) return unit.nanoseconds;
    }
  }
  return 0;
}

Duration sum(Duration a, Duration b) {
  return a > forever - b ? forever : a + b;
}

/// "644ms", "1m2.5s", "86400 seconds", "1 minute 30 seconds" at the front of `text`.
std::optional<Duration> leading_duration(std::string_view text) {
  std::optional<Duration> total;
  for (std::uint64_t above = day + 1;;) {
    if (total) take(text, " ");
    const std::optional<Number> number = take_number(text);
    take(text, " ");
    const std::uint64_t unit = unit_named(take_while(text, is_letter));
    if (!number || unit == 0 || unit >= above) return total;
    total = sum(total.value_or(Duration{0}), count_in(*number, unit));
    above = unit;
  }
}

/// The longest duration that follows one of `phrases` anywhere in `text`.
std::optional<Duration> longest_after(std::span<const std::string_view> phrases,
                                      std::string_view text) {
  std::optional<Duration> found;
  for (; !text.empty(); text.remove_prefix(1)) {
    for (const std::string_view phrase : phrases) {
      // The first letter alone rules out nearly every place.
      if (lower(text.front()) != lower(phrase.front())) continue;
      std::string_view rest = text;
      if (!take(rest, phrase)) continue;
      // Between a key and its value stand quotes, in a quoted body with backslashes before them.
      rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r\n\":\\"), rest.size()));
      const std::optional<Duration> wait = leading_duration(rest);
      if (wait) found = std::max(found.value_or(Duration{0}), *wait);
    }
  }
  return found;
}

// --- headers ----------------------------------------------------------------------------------

using Source = ServerHint::Source;
using Headers = std::span<const HeaderView>;

std::optional<Duration> parse_seconds_or_date(std::string_view text, SystemTime now) {
  if (const auto wait = parse_number(text, second)) return wait;
  return parse_date(text, now);
}

/// gRPC writes whole milliseconds only.
std::optional<Duration> parse_pushback(std::string_view text) {
  if (!std::ranges::all_of(text, is_digit)) return std::nullopt;
  return parse_number(text, millisecond);
}

/// The longest of the waits that the headers of this name ask for.
template <class Parse>
std::optional<Duration> longest_of(Headers headers, std::string_view name, Parse parse) {
  std::optional<Duration> found;
  for (const HeaderView& header : headers) {
    if (!equal_ignoring_case(header.name, name)) continue;
    const std::optional<Duration> wait = parse(trimmed(header.value));
    if (wait) found = std::max(found.value_or(Duration{0}), *wait);
  }
  return found;
}

std::optional<bool> read_should_retry(Headers headers) {
  std::optional<bool> answer;
  for (const HeaderView& header : headers) {
    const std::string_view value = trimmed(header.value);
    std::optional<bool> says;
    if (equal_ignoring_case(header.name, "x-should-retry")) {
      if (equal_ignoring_case(value, "true")) says = true;
      if (equal_ignoring_case(value, "false")) says = false;
    } else if (equal_ignoring_case(header.name, "grpc-retry-pushback-ms")) {
      if (!parse_pushback(value)) says = false;
    }
    if (says) answer = answer.value_or(true) && *says;
  }
  return answer;
}

/// Takes the wait unless an earlier source asks for one.
void offer(ServerHint& hint, std::optional<Duration> wait, Source source) {
  if (!wait || (hint.wait && (*hint.wait > Duration{0} || *wait == Duration{0}))) return;
  hint.wait = wait;
  hint.source = source;
}

}  // namespace

std::string_view to_string(ServerHint::Source source) {
  switch (source) {
    case Source::nothing:
      return "nothing";
    case Source::retry_after_ms:
      return "retry_after_ms";
    case Source::x_ms_retry_after_ms:
      return "x_ms_retry_after_ms";
    case Source::retry_after:
      return "retry_after";
    case Source::grpc_pushback:
      return "grpc_pushback";
    case Source::retry_delay:
      return "retry_delay";
    case Source::message:
      return "message";
  }
  return "";
}

ServerHint read_server_hint(std::span<const HeaderView> headers, std::string_view error_text,
                            SystemTime now) {
  static constexpr std::array<std::string_view, 1> key{"retryDelay"};
  static constexpr std::array<std::string_view, 4> words{"try again in", "try again after",
                                                         "retry in", "retry after"};
  const auto milliseconds = [](std::string_view text) { return parse_number(text, millisecond); };
  const auto seconds = [&](std::string_view text) { return parse_seconds_or_date(text, now); };

  ServerHint hint;
  hint.should_retry = read_should_retry(headers);
  offer(hint, longest_of(headers, "retry-after-ms", milliseconds), Source::retry_after_ms);
  offer(hint, longest_of(headers, "x-ms-retry-after-ms", milliseconds),
        Source::x_ms_retry_after_ms);
  offer(hint, longest_of(headers, "retry-after", seconds), Source::retry_after);
  offer(hint, longest_of(headers, "grpc-retry-pushback-ms", parse_pushback), Source::grpc_pushback);
  if (hint.wait > Duration{0}) return hint;

  const std::optional<Duration> delay = longest_after(key, error_text);
  const std::optional<Duration> message = longest_after(words, error_text);
  if (message > delay) offer(hint, message, Source::message);
  offer(hint, delay, Source::retry_delay);
  return hint;
}

std::string_view to_string(HintStop stop) {
  switch (stop) {
    case HintStop::no:
      return "no";
    case HintStop::refused:
      return "refused";
    case HintStop::too_long:
      return "too_long";
  }
  return "";
}

HintDecision apply_hint(const HintOptions& options, Duration computed, const ServerHint& hint) {
  BROWNOUT_CHECK(computed >= Duration{0});
  const HintDecision unchanged{HintStop::no, computed};
  if (options.obey_should_retry != ObeyShouldRetry::ignore && hint.should_retry == false) {
    return {HintStop::refused, {}};
  }
  if (options.policy == HintPolicy::ignore || !hint.wait) return unchanged;
  Duration wait = *hint.wait;
  if (wait == Duration{0} && !options.zero_is_now) return unchanged;
  if (wait > options.cap) {
    if (options.above_cap == AboveCap::stop) return {HintStop::too_long, {}};
    if (options.above_cap == AboveCap::ignore) return unchanged;
    wait = options.cap;
  }
  switch (options.policy) {
    case HintPolicy::ignore:
      return unchanged;
    case HintPolicy::verbatim:
      return {HintStop::no, wait};
    case HintPolicy::at_least:
      return {HintStop::no, std::max(computed, wait)};
    case HintPolicy::stretch:
      return {HintStop::no, std::max(computed, std::min(wait, sum(computed, options.stretch_by)))};
  }
  return unchanged;
}

bool makes_retryable(const HintOptions& options, std::optional<bool> should_retry) {
  return options.obey_should_retry == ObeyShouldRetry::always && should_retry == true;
}

}  // namespace brownout
