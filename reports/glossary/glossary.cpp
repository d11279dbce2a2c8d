#include "reports/glossary/glossary.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engine/core/document.hpp"
#include "engine/core/outcome.hpp"
#include "reports/glossary/entries.hpp"

namespace brownout::reports {
namespace {

constexpr std::size_t columns = 80;

constexpr std::array kinds{EntryKind::metric,   EntryKind::outcome,   EntryKind::error_class,
                           EntryKind::call_end, EntryKind::exit_code, EntryKind::word};

std::vector<Entry> joined() {
  std::vector<Entry> all;
  for (const auto part : {metric_entries(), outcome_entries(), word_entries()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

// Lower case, with single underscores for what separates words.
std::string normal(std::string_view text) {
  std::string result;
  for (const char letter : text) {
    const bool separates = letter == ' ' || letter == '-' || letter == '_';
    if (!separates) {
      result += letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
    } else if (!result.empty() && result.back() != '_') {
      result += '_';
    }
  }
  if (result.ends_with('_')) result.pop_back();
  return result;
}

bool is_called(const Entry& entry, std::string_view normal_name) {
  if (normal(entry.name) == normal_name) return true;
  return std::ranges::any_of(entry.also, [&](std::string_view other) {
    return !other.empty() && normal(other) == normal_name;
  });
}

std::vector<const Entry*> called(std::string_view normal_name) {
  std::vector<const Entry*> found;
  for (const Entry& entry : glossary()) {
    if (is_called(entry, normal_name)) found.push_back(&entry);
  }
  return found;
}

// The exit code that "exit_code_4" names.
std::vector<const Entry*> exit_code_called(std::string_view normal_name) {
  for (const std::string_view prefix : {"exit_code_", "exit_", "code_"}) {
    if (!normal_name.starts_with(prefix)) continue;
    auto found = called(normal_name.substr(prefix.size()));
    std::erase_if(found, [](const Entry* entry) { return entry->kind != EntryKind::exit_code; });
    return found;
  }
  return {};
}

// A metric as an expectation has it, taken apart.
struct MetricText {
  std::string name;      // "breaker.opened", "latency.p99"
  std::string argument;  // "gpt-4"
};

MetricText metric_of(std::string_view text) {
  for (const std::string_view end : {" during ", " at ", " <", " >", " ==", " !="}) {
    text = text.substr(0, text.find(end));
  }
  const auto open = text.find('(');
  const auto close = text.find(')', open);
  if (open == text.npos || close == text.npos) return {normal(text), {}};
  return {normal(text.substr(0, open)) + normal(text.substr(close + 1)),
          normal(text.substr(open + 1, close - open - 1))};
}

std::vector<const Entry*> metric_called(std::string_view text) {
  const MetricText metric = metric_of(text);
  auto found = called(metric.name);
  if (found.empty()) found = called(metric.name.substr(0, metric.name.find('.')));
  std::erase_if(found, [](const Entry* entry) { return entry->kind != EntryKind::metric; });
  if (found.empty()) return {};
  for (const Entry* entry : called(metric.argument)) {
    if (entry->kind == EntryKind::outcome) found.push_back(entry);
  }
  return found;
}

// Words of `text` in lines that begin with `indent` spaces.
std::string wrapped(std::string_view text, std::size_t indent) {
  std::string result;
  std::size_t width = columns + 1;  // the first word begins a line
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    if (width + 1 + word.size() > columns) {
      if (!result.empty()) result += '\n';
      result += std::string(indent, ' ');
      width = indent;
    } else {
      result += ' ';
      ++width;
    }
    result += word;
    width += word.size();
  }
  return result + "\n";
}

std::string title(const Entry& entry) {
  switch (entry.kind) {
    case EntryKind::metric:
      return fmt::format("{} (metric; {})", entry.name, entry.unit);
    case EntryKind::outcome: {
      const auto kind = parse_outcome_kind(entry.name);
      if (!kind || *kind == OutcomeKind::success) return fmt::format("{} (outcome)", entry.name);
      return fmt::format("{} (outcome; {}, {})", entry.name, to_string(classify(*kind)),
                         blame(*kind) == Blame::provider ? "blamed on the provider" : "neutral");
    }
    case EntryKind::error_class:
      return fmt::format("{} (class of failures)", entry.name);
    case EntryKind::call_end:
      return fmt::format("{} (end of a call)", entry.name);
    case EntryKind::exit_code:
      return fmt::format("exit code {}", entry.name);
    case EntryKind::word:
      return std::string(entry.name);
  }
  return {};
}

bool is_exit_code(std::string_view name) {
  return std::ranges::any_of(
      called(normal(name)), [](const Entry* entry) { return entry->kind == EntryKind::exit_code; });
}

template <class Names>
std::string listed(const Names& names) {
  std::string text;
  for (const std::string_view name : names) {
    if (name.empty()) continue;
    text += fmt::format("{}{}{}", text.empty() ? "" : ", ", is_exit_code(name) ? "exit code " : "",
                        name);
  }
  return text;
}

}  // namespace

std::string_view heading(EntryKind kind) {
  switch (kind) {
    case EntryKind::metric:
      return "metrics";
    case EntryKind::outcome:
      return "outcomes";
    case EntryKind::error_class:
      return "classes of failures";
    case EntryKind::call_end:
      return "ends of calls";
    case EntryKind::exit_code:
      return "exit codes";
    case EntryKind::word:
      return "words";
  }
  return {};
}

std::span<const EntryKind> entry_kinds() {
  return kinds;
}

std::span<const Entry> glossary() {
  static const std::vector<Entry> all = joined();
  return all;
}

std::vector<const Entry*> find_entries(std::string_view text) {
  const std::string name = normal(text);
  if (name.empty()) return {};
  auto found = called(name);
  if (found.empty()) found = exit_code_called(name);
  if (found.empty()) found = metric_called(text);
  return found;
}

std::optional<std::string_view> nearest_entry(std::string_view text) {
  std::vector<std::string_view> names;
  for (const Entry& entry : glossary()) {
    names.push_back(entry.name);
    std::ranges::copy_if(entry.also, std::back_inserter(names),
                         [](std::string_view name) { return !name.empty(); });
  }
  return nearest(text, names);
}

std::string explain(const Entry& entry) {
  std::string text = title(entry) + "\n" + wrapped(entry.sentence, 2);
  if (!entry.text.empty()) text += "\n" + wrapped(entry.text, 2);
  const std::string also = listed(entry.also);
  const std::string see_also = listed(entry.see_also);
  if (!also.empty() || !see_also.empty()) text += "\n";
  if (!also.empty()) text += wrapped("also called: " + also, 2);
  if (!see_also.empty()) text += wrapped("see also: " + see_also, 2);
  return text;
}

std::string list_entries() {
  std::string text;
  for (const EntryKind kind : kinds) {
    std::string names;
    for (const Entry& entry : glossary()) {
      if (entry.kind != kind) continue;
      names += fmt::format("{}{}", names.empty() ? "" : ", ", entry.name);
    }
    text += fmt::format("{}{}\n{}", text.empty() ? "" : "\n", heading(kind), wrapped(names, 2));
  }
  return text;
}

}  // namespace brownout::reports
