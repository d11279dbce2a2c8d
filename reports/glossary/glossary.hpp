#pragma once

// What the words mean: the one source for `brownout explain`, for the glossary of reports, for the
// manual page and for the tables of docs/reference, which tests hold against it.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace brownout::reports {

enum class EntryKind : std::uint8_t {
  metric,       ///< of an expectation, as it is spelled there
  outcome,      ///< how an attempt or a call ended
  error_class,  ///< what a policy may do about a failure
  call_end,     ///< what a caller got
  exit_code,    ///< of the program, in digits
  word,         ///< everything else that reports say
};

/// "metrics", "outcomes", …: a heading above entries of one kind.
std::string_view heading(EntryKind kind);

/// The kinds in the order in which they are listed.
std::span<const EntryKind> entry_kinds();

/// All text is ASCII without markup. What is empty is not there.
struct Entry {
  EntryKind kind = EntryKind::word;
  std::string_view name;      ///< as files and reports spell it; unique within its kind
  std::string_view sentence;  ///< what it is, in one sentence that stands alone
  std::string_view text;      ///< more: how it is written, what it does not count, what to do
  std::string_view unit;      ///< of a metric: as sim::unit_of() has it
  std::array<std::string_view, 5> see_also;  ///< names of other entries; unused ones are empty
  std::array<std::string_view, 5> also;      ///< other names of the same; unused ones are empty
};

/// Every entry, by kind; metrics in the order of docs/reference/expectations.md, outcomes and exit
/// codes by number, words by alphabet.
std::span<const Entry> glossary();

/// What `text` names, in the order of the glossary; several where a word has several meanings.
///
/// Upper and lower case, `-`, `_` and spaces are alike. A metric may come as it stands in an
/// expectation: "breaker(gpt-4).opened", "latency.p99", "availability during outage >= 98%"; an
/// outcome in its brackets is explained with it. Exit codes may be called so: "exit-code 4".
std::vector<const Entry*> find_entries(std::string_view text);

/// The name, or other name, closest to `text`, when it is close enough to be a slip.
std::optional<std::string_view> nearest_entry(std::string_view text);

/// An entry as text for people, no line longer than 80 columns. Ends with a newline.
std::string explain(const Entry& entry);

/// All names under their headings, likewise.
std::string list_entries();

}  // namespace brownout::reports
