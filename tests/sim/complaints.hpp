#pragma once

// What an error says, taken apart.

#include <ostream>
#include <string>
#include <vector>

#include "engine/core/result.hpp"

namespace brownout::sim::testing {

struct Complaint {
  std::string message;
  std::string marked;  // what the caret stands under
  std::string note;
  bool operator==(const Complaint&) const = default;
};

inline void PrintTo(const Complaint& complaint, std::ostream* out) {
  *out << "{R\"(" << complaint.message << ")\", R\"(" << complaint.marked << ")\", R\"("
       << complaint.note << ")\"}";
}

/// The last two lines of an excerpt are the text and the carets with the note.
inline Complaint complaint_of(const Error& error) {
  Complaint result{error.message, "", ""};
  std::vector<std::string> lines{""};
  for (const char c : error.excerpt) {
    if (c == '\n') {
      lines.emplace_back();
    } else {
      lines.back() += c;
    }
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  if (lines.size() < 2) return result;
  const std::string& text = lines[lines.size() - 2];
  const std::string& carets = lines.back();
  const std::size_t from = carets.find('^');
  if (from == std::string::npos) return result;
  const std::size_t to = std::min(carets.find_first_not_of('^', from), carets.size());
  result.marked = from < text.size() ? text.substr(from, to - from) : "";
  if (to < carets.size()) result.note = carets.substr(to + 1);
  return result;
}

inline std::vector<Complaint> complaints_of(const Errors& errors) {
  std::vector<Complaint> result;
  for (const Error& error : errors) result.push_back(complaint_of(error));
  return result;
}

}  // namespace brownout::sim::testing
