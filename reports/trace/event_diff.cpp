#include "reports/trace/event_diff.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "reports/text/numbers.hpp"
#include "reports/trace/event_words.hpp"

namespace brownout::reports {
namespace {

constexpr std::size_t kept_of_a_call = 8;
constexpr std::size_t kept_of_breakers = 5;
constexpr std::size_t shown_afterwards = 5;
constexpr std::size_t searched_afterwards = 20'000;  // lines, for more of the calls involved

using Line = std::optional<std::string>;

class Log {
 public:
  explicit Log(EventLogText log) : name_(std::move(log.name)), text_(log.text) {}

  const std::string& name() const { return name_; }

  /// False at the end. Errors: as diff_event_logs.
  Result<bool> next() {
    if (!std::getline(text_, line_)) {
      if (!text_.bad()) return false;
      return fail(ErrorKind::environment, "cannot read " + name_);
    }
    ++number_;
    if (looks_like_event(line_)) return true;
    return fail(ErrorKind::invalid,
                fmt::format("{}:{}: {}", name_, number_,
                            text_.eof() ? "the log ends in the middle of an event"
                                        : "this line is no event of brownout run … --events"));
  }

  /// Requires: next() was true.
  const std::string& line() const { return line_; }

  Result<LoggedEvent> event() const {
    auto event = read_event(line_);
    if (event) return std::move(*event);
    return fail(
        ErrorKind::invalid,
        fmt::format("{}:{}: this line is no event of brownout run … --events", name_, number_));
  }

 private:
  std::string name_;
  std::istream& text_;
  std::string line_;
  std::uint64_t number_ = 0;
};

// The last lines of each call that has not ended, and of breakers; each with its number.
class History {
 public:
  using Entry = std::pair<std::uint64_t, std::string>;

  void add(const std::string& line) {
    ++count_;
    const auto call = call_at_a_glance(line);
    const std::string_view event = event_at_a_glance(line);
    if (event == "breaker") keep(breakers_, line, kept_of_breakers);
    if (!call) return;
    if (event == "call" || event == "given_up") {
      calls_.erase(*call);
    } else {
      keep(calls_[*call], line, kept_of_a_call);
    }
  }

  std::uint64_t count() const { return count_; }

  /// In order.
  std::vector<std::string> of(const std::set<std::uint64_t>& calls) const {
    std::vector<Entry> entries(breakers_.begin(), breakers_.end());
    for (const std::uint64_t call : calls) {
      const auto found = calls_.find(call);
      if (found == calls_.end()) continue;
      entries.insert(entries.end(), found->second.begin(), found->second.end());
    }
    std::ranges::sort(entries);
    std::vector<std::string> lines;
    for (Entry& entry : entries) lines.push_back(std::move(entry.second));
    return lines;
  }

 private:
  using Kept = std::deque<Entry>;

  void keep(Kept& kept, const std::string& line, std::size_t most) {
    kept.emplace_back(count_, line);
    if (kept.size() > most) kept.pop_front();
  }

  std::uint64_t count_ = 0;
  std::unordered_map<std::uint64_t, Kept> calls_;
  Kept breakers_;
};

std::string row(std::string_view margin, const LoggedEvent& event) {
  return fmt::format("  {}{}  {}\n", margin, clock_time(event.at), in_words(event));
}

// A column for the name of the log, and one for the time.
constexpr std::string_view margin_a = "A  ";
constexpr std::string_view margin_b = "B  ";

bool concerns(const LoggedEvent& event, const std::set<std::uint64_t>& calls) {
  return event.event == "breaker" || (event.call && calls.contains(*event.call));
}

std::string names_of(const std::set<std::uint64_t>& calls) {
  if (calls.empty()) return "of breakers";
  std::string text = calls.size() == 1 ? "of call" : "of calls";
  for (const std::uint64_t call : calls) {
    text += fmt::format("{} {}", call == *calls.begin() ? "" : " and", call);
  }
  return text + " and of breakers";
}

// "started_ns 5 and 6", for two events of one kind and call.
std::string differing_fields(const LoggedEvent& a, const LoggedEvent& b) {
  std::string text;
  if (a.event != b.event || a.call != b.call) return text;
  for (const LoggedEvent::Field& field : a.fields) {
    const auto other = std::ranges::find(b.fields, field.name, &LoggedEvent::Field::name);
    const std::string theirs = other == b.fields.end() ? "nothing" : std::string(other->value);
    if (theirs == field.value) continue;
    text +=
        fmt::format("{} {}: {} and {}", text.empty() ? "" : ",", field.name, field.value, theirs);
  }
  return text.empty() ? text : "  They differ in" + text + ".\n";
}

// One of the two logs, from its first line of its own.
struct Side {
  explicit Side(Log& of) : log(of) {}

  // Reads on: what follows of these calls, and everything else of the same instant.
  Result<void> read_on(const std::set<std::uint64_t>& calls) {
    const Instant parted = first.at;
    at_once.push_back(log.line());
    for (std::size_t i = 0; i < searched_afterwards; ++i) {
      const auto more = log.next();
      if (!more) return tl::unexpected(more.error());
      if (!*more) return {};
      auto event = log.event();
      if (!event) return tl::unexpected(event.error());
      if (event->at == parted) at_once.push_back(log.line());
      if (event->at != parted && afterwards.size() == shown_afterwards) return {};
      if (concerns(*event, calls) && afterwards.size() < shown_afterwards) {
        afterwards.push_back(std::move(*event));
      }
    }
    return {};
  }

  Log& log;
  LoggedEvent first;
  std::vector<std::string> at_once;  // lines of the instant of the first
  std::vector<LoggedEvent> afterwards;
};

class Comparison {
 public:
  Comparison(EventLogText a, EventLogText b) : log_a_(std::move(a)), log_b_(std::move(b)) {}

  Result<EventDiff> run() {
    for (;;) {
      const auto more_a = log_a_.next();
      if (!more_a) return tl::unexpected(more_a.error());
      const auto more_b = log_b_.next();
      if (!more_b) return tl::unexpected(more_b.error());
      if (!*more_a && !*more_b && history_.count() == 0) {
        return fail(ErrorKind::invalid,
                    fmt::format("{} and {} are empty: there is nothing to compare", log_a_.name(),
                                log_b_.name()));
      }
      if (!*more_a && !*more_b) {
        return EventDiff{true,
                         fmt::format("{} and {} tell the same run: {} events.\n", log_a_.name(),
                                     log_b_.name(), grouped(history_.count()))};
      }
      if (!*more_a) return ends_early(log_a_, log_b_, margin_b);
      if (!*more_b) return ends_early(log_b_, log_a_, margin_a);
      if (log_a_.line() != log_b_.line()) return part();
      history_.add(log_a_.line());
    }
  }

 private:
  std::string heading() const {
    return fmt::format("A  {}\nB  {}\n\n", log_a_.name(), log_b_.name());
  }

  std::string shared() const { return count_of(history_.count(), "event"); }

  Result<std::string> what_led_here(const std::set<std::uint64_t>& calls) const {
    const auto lines = history_.of(calls);
    if (lines.empty()) return std::string{};
    std::string text = fmt::format("\nBefore that, in both, {}:\n", names_of(calls));
    for (const std::string& line : lines) {
      const auto event = read_event(line);
      if (event) text += row("   ", *event);
    }
    return text;
  }

  // `longer` stands at the first event that `shorter` does not have.
  Result<EventDiff> ends_early(const Log& shorter, Log& longer, std::string_view margin) {
    std::string text = heading();
    text += fmt::format("{} is the beginning of {}: {}, then it ends. What follows there:\n\n",
                        shorter.name(), longer.name(), shared());
    for (std::size_t i = 0; i < shown_afterwards; ++i) {
      const auto event = longer.event();
      if (!event) return tl::unexpected(event.error());
      text += row(margin, *event);
      const auto more = longer.next();
      if (!more) return tl::unexpected(more.error());
      if (!*more) break;
    }
    return EventDiff{false, text};
  }

  Result<EventDiff> part() {
    Side a(log_a_);
    Side b(log_b_);
    std::set<std::uint64_t> calls;
    for (Side* side : {&a, &b}) {
      auto event = side->log.event();
      if (!event) return tl::unexpected(event.error());
      side->first = std::move(*event);
      if (side->first.call) calls.insert(*side->first.call);
    }
    for (Side* side : {&a, &b}) {
      if (const auto read = side->read_on(calls); !read) return tl::unexpected(read.error());
    }
    std::string text = heading();
    text += fmt::format(
        "The runs part at {}, {}:\n\n", clock_time(std::min(a.first.at, b.first.at)),
        history_.count() == 0 ? "at their first event" : "after " + shared() + " that both tell");
    text += row(margin_a, a.first) + row(margin_b, b.first);
    text += differing_fields(a.first, b.first);
    if (a.first.at == b.first.at && std::ranges::is_permutation(a.at_once, b.at_once)) {
      text += "  Of this instant both tell the same events, in another order.\n";
    }
    const auto before = what_led_here(calls);
    if (!before) return tl::unexpected(before.error());
    return EventDiff{false, text + *before + what_followed(a, b, calls)};
  }

  static std::string what_followed(const Side& a, const Side& b,
                                   const std::set<std::uint64_t>& calls) {
    std::string text;
    for (const LoggedEvent& event : a.afterwards) text += row(margin_a, event);
    for (const LoggedEvent& event : b.afterwards) text += row(margin_b, event);
    return text.empty() ? text : fmt::format("\nAfterwards, {}:\n", names_of(calls)) + text;
  }

  Log log_a_;
  Log log_b_;
  History history_;
};

}  // namespace

Result<EventDiff> diff_event_logs(EventLogText a, EventLogText b) {
  return Comparison(std::move(a), std::move(b)).run();
}

}  // namespace brownout::reports
