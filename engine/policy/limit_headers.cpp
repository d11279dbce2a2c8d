#include "engine/policy/limit_headers.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

namespace brownout {
namespace {

constexpr std::int64_t count_max = 1'000'000'000'000;
constexpr Duration reset_max = std::chrono::hours{24 * 366};

enum class Part : std::uint8_t { limit, remaining, reset };

struct PartName {
  std::string_view name;
  Part part;
};
constexpr std::array<PartName, 3> part_names{
    {{"limit", Part::limit}, {"remaining", Part::remaining}, {"reset", Part::reset}}};

struct QuotaName {
  std::string_view name;
  LimitHeader LimitHeaders::*quota;
};
constexpr std::array<QuotaName, 4> quota_names{{{"requests", &LimitHeaders::requests},
                                                {"tokens", &LimitHeaders::tokens},
                                                {"input-tokens", &LimitHeaders::input_tokens},
                                                {"output-tokens", &LimitHeaders::output_tokens}}};

// The longest is anthropic-ratelimit-output-tokens-remaining.
constexpr std::size_t name_max = 43;

char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

bool is_digit(char letter) {
  return letter >= '0' && letter <= '9';
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view blanks = " \t";
  const std::size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::optional<std::int64_t> parse_count(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (value < 0 || value > count_max) return std::nullopt;
  return value;
}

/// Exactly `size` digits from the front of `text`.
std::optional<unsigned> take_number(std::string_view& text, std::size_t size) {
  if (text.size() < size || !std::all_of(text.begin(), text.begin() + size, is_digit)) {
    return std::nullopt;
  }
  unsigned value = 0;
  for (const char digit : text.substr(0, size)) {
    value = value * 10 + static_cast<unsigned>(digit - '0');
  }
  text.remove_prefix(size);
  return value;
}

/// ".25" as nanoseconds; digits beyond the ninth say nothing here. Zero when there is no fraction.
std::optional<Duration> take_fraction(std::string_view& text) {
  if (!take(text, ".")) return Duration{0};
  if (text.empty() || !is_digit(text.front())) return std::nullopt;
  std::int64_t value = 0;
  std::int64_t unit = 1'000'000'000;
  for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1)) {
    if (unit == 1) continue;
    unit /= 10;
    value += (text.front() - '0') * unit;
  }
  return Duration{value};
}

/// "Z", "+02:00": how far local time is ahead of UTC. Nothing may follow.
std::optional<Duration> parse_offset(std::string_view text) {
  if (text == "Z" || text == "z") return Duration{0};
  if (text.empty() || (text.front() != '+' && text.front() != '-')) return std::nullopt;
  const bool behind = text.front() == '-';
  text.remove_prefix(1);
  const auto hour = take_number(text, 2);
  if (!hour || !take(text, ":")) return std::nullopt;
  const auto minute = take_number(text, 2);
  if (!minute || !text.empty() || *hour > 23 || *minute > 59) return std::nullopt;
  const Duration ahead = std::chrono::hours{*hour} + std::chrono::minutes{*minute};
  return behind ? -ahead : ahead;
}

/// RFC 3339, years 1970 to 2200 (what SystemTime holds).
std::optional<SystemTime> parse_date_time(std::string_view text) {
  std::array<unsigned, 6> field{};
  constexpr std::array<std::string_view, 6> before{"", "-", "-", "Tt ", ":", ":"};
  for (std::size_t i = 0; i < field.size(); ++i) {
    if (i > 0) {
      if (text.empty() || before[i].find(text.front()) == std::string_view::npos) {
        return std::nullopt;
      }
      text.remove_prefix(1);
    }
    const auto number = take_number(text, i == 0 ? 4 : 2);
    if (!number) return std::nullopt;
    field[i] = *number;
  }
  const auto [year, month, day, hour, minute, second] = field;
  const std::chrono::year_month_day date{std::chrono::year{static_cast<int>(year)},
                                         std::chrono::month{month}, std::chrono::day{day}};
  // Second 60 is a leap second; it is the next minute here.
  if (!date.ok() || year < 1970 || year > 2200 || hour > 23 || minute > 59 || second > 60) {
    return std::nullopt;
  }
  const auto fraction = take_fraction(text);
  const auto offset = parse_offset(text);
  if (!fraction || !offset) return std::nullopt;
  return std::chrono::sys_days{date} + std::chrono::hours{hour} + std::chrono::minutes{minute} +
         std::chrono::seconds{second} + *fraction - *offset;
}

/// "6m0s", "120\u00b5s": Go writes microseconds with a Greek letter.
std::optional<Duration> parse_go_duration(std::string_view text) {
  constexpr std::string_view micro = "\xC2\xB5";
  const std::size_t at = text.find(micro);
  if (at == std::string_view::npos) return parse_duration(text);
  std::string plain{text};
  return parse_duration(plain.replace(at, micro.size(), "u"));
}

std::optional<Duration> parse_reset(std::string_view text, SystemTime now) {
  const bool is_number =
      !text.empty() && text.find_first_not_of("0123456789.") == std::string_view::npos;
  std::optional<Duration> reset;
  if (is_number) {
    reset = parse_duration(std::string{text} + "s");
  } else if (const auto date = parse_date_time(text)) {
    reset = std::max(Duration{0}, *date - now);
  } else {
    reset = parse_go_duration(text);
  }
  return reset && *reset <= reset_max ? reset : std::nullopt;
}

struct Slot {
  LimitHeader LimitHeaders::*quota;
  Part part;
};

/// Which number a header carries. OpenAI puts the part first, Anthropic the quota.
std::optional<Slot> slot_of(std::string_view name) {
  const bool anthropic = take(name, "anthropic-ratelimit-");
  if (!anthropic && !take(name, "x-ratelimit-") && !take(name, "x-rate-limit-")) {
    return std::nullopt;
  }
  for (const QuotaName& quota : quota_names) {
    for (const PartName& part : part_names) {
      std::string_view rest = name;
      const std::string_view first = anthropic ? quota.name : part.name;
      const std::string_view second = anthropic ? part.name : quota.name;
      if (take(rest, first) && take(rest, "-") && rest == second) {
        return Slot{quota.quota, part.part};
      }
    }
  }
  return std::nullopt;
}

void store(LimitHeader& quota, Part part, std::string_view value, SystemTime now) {
  switch (part) {
    case Part::limit:
      if (!quota.limit) quota.limit = parse_count(value);
      // A limit of nothing would never pass again; it is how an absent one is sometimes written.
      if (quota.limit == 0) quota.limit.reset();
      return;
    case Part::remaining:
      if (!quota.remaining) quota.remaining = parse_count(value);
      return;
    case Part::reset:
      if (!quota.reset) quota.reset = parse_reset(value, now);
      return;
  }
}

}  // namespace

LimitHeaders parse_limit_headers(std::span<const HeaderView> fields, SystemTime now) {
  LimitHeaders headers;
  std::array<char, name_max> buffer{};
  for (const HeaderView& field : fields) {
    if (field.name.size() > buffer.size()) continue;
    std::transform(field.name.begin(), field.name.end(), buffer.begin(), lower);
    if (const auto slot = slot_of({buffer.data(), field.name.size()})) {
      store(headers.*(slot->quota), slot->part, trim(field.value), now);
    }
  }
  return headers;
}

}  // namespace brownout
