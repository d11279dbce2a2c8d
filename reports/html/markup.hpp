#pragma once

// Pieces of HTML and SVG.

#include <string>
#include <string_view>

#include "engine/core/time.hpp"
#include "sim/result.hpp"

namespace brownout::reports::html {

/// Text as it may stand between tags and in quoted attributes. What is not UTF-8, or a control
/// character, becomes U+FFFD.
std::string escaped(std::string_view text);

/// A place along an axis in hundredths of a percent of its length, as SVG wants it: "12.5%". Places
/// outside the axis move to its ends. Requires: whole > 0.
std::string along(Duration part, Duration whole);

/// A verdict as a mark that does without color.
std::string badge(sim::Verdict verdict);

/// Values as rows under a heading, in a box that scrolls sideways. Cells are HTML.
class Table {
 public:
  /// `columns`: headings, as text; one that begins with '#' is of numbers, aligned to the right.
  Table(std::string_view caption, std::initializer_list<std::string_view> columns);
  template <class... Cells>
  void row(const Cells&... cells) {
    std::size_t column = 0;
    rows_ += "<tr>";
    (cell(cells, column++), ...);
    rows_ += "</tr>\n";
  }
  std::string html() const;

 private:
  void cell(std::string_view html, std::size_t column);

  std::string head_;
  std::string rows_;
  std::string numeric_;  // 'y' or 'n' by column
};

/// A run and how its parts are called on the page.
struct RunView {
  const sim::RunResult& run;
  std::string id;  ///< "run-1": begins the id of everything that belongs to it
};

/// Where its time axis ends; never 0.
Duration axis_end(const sim::RunResult& run);

/// Whether faults were scheduled in a phase.
bool is_faulted(const sim::RunResult& run, const sim::PhaseResult& phase);

/// A part of a run's page with its heading. `title` and `sentence` are HTML.
std::string section(const RunView& view, std::string_view name, std::string_view title,
                    std::string_view sentence, std::string_view content);

}  // namespace brownout::reports::html
