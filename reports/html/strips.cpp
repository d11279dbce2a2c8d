#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "reports/html/sections.hpp"
#include "reports/text/numbers.hpp"

namespace brownout::reports::html {
namespace {

// Above this many transitions, what is narrower than a pixel is drawn as one.
constexpr std::size_t transitions_drawn_max = 2000;
constexpr std::int64_t pixels = 1200;  // of a wide screen

struct Piece {
  Duration from{0};
  Duration until{0};
  std::string_view state;       // a class of report.css, and a word
  std::size_t transitions = 1;  // that it stands for
};

std::vector<Piece> pieces_of(const sim::BreakerResult& breaker, Duration end) {
  std::vector<Piece> pieces{{Duration{0}, end, "closed", 0}};
  const bool cut = breaker.transition_count > breaker.transitions.size();
  for (std::size_t i = 0; i < breaker.transitions.size(); ++i) {
    const sim::BreakerTransition& change = breaker.transitions[i];
    const Duration at = change.at - Instant{};
    if (at >= end) break;
    // Between the last two of a long life more happened than was kept.
    if (cut && i + 1 == breaker.transitions.size()) pieces.back().state = "unknown";
    pieces.back().until = at;
    pieces.push_back({at, end, to_string(change.to), 1});
  }
  std::erase_if(pieces, [](const Piece& piece) { return piece.from >= piece.until; });
  return pieces;
}

// Runs of pieces narrower than a pixel become one of many states.
std::vector<Piece> merged(const std::vector<Piece>& pieces, Duration pixel) {
  std::vector<Piece> result;
  for (const Piece& piece : pieces) {
    const bool is_narrow = piece.until - piece.from < pixel;
    const bool goes_on = !result.empty() && result.back().state == "many" &&
                         piece.until - result.back().from < pixel * 4;
    if (is_narrow && goes_on) {
      result.back().until = piece.until;
      result.back().transitions += piece.transitions;
    } else if (is_narrow) {
      result.push_back({piece.from, piece.until, "many", piece.transitions});
    } else {
      result.push_back(piece);
    }
  }
  return result;
}

// Height says the state, so that neither color nor width has to.
std::string_view outline_of(std::string_view state) {
  if (state == "open") return "v24";
  if (state == "half_open") return "v14";
  return "v4";
}

std::string title_of(const Piece& piece) {
  const std::string span = fmt::format("{} to {} ({})", clock_time(Instant{piece.from}),
                                       clock_time(Instant{piece.until}),
                                       format_duration_short(piece.until - piece.from));
  if (piece.state == "many") {
    return fmt::format("{}, {}", count_of(piece.transitions, "change"), span);
  }
  if (piece.state == "unknown") return "not kept, " + span;
  return fmt::format("{}, {}", piece.state, span);
}

std::string drawing(const std::vector<Piece>& pieces) {
  std::string svg;
  for (const Piece& piece : pieces) {
    const auto from = piece.from / std::chrono::milliseconds{1};
    const auto width = std::max<std::int64_t>(1, piece.until / std::chrono::milliseconds{1} - from);
    if (piece.state == "many" || piece.state == "unknown") {
      svg += fmt::format("<path class=\"{}\" d=\"M{} 0v24h{}v-24z\"><title>{}</title></path>\n",
                         piece.state, from, width, title_of(piece));
    } else {
      const std::string_view up = outline_of(piece.state);
      svg += fmt::format("<path class=\"{}\" d=\"M{} 24v-{}h{}{}z\"><title>{}</title></path>\n",
                         piece.state, from, up.substr(1), width, up, title_of(piece));
    }
  }
  return svg;
}

std::string strip(const sim::BreakerResult& breaker, Duration end) {
  std::vector<Piece> pieces = pieces_of(breaker, end);
  const bool is_merged = pieces.size() > transitions_drawn_max;
  if (is_merged) pieces = merged(pieces, end / pixels);
  std::string html = fmt::format(
      "<div class=\"strip\"><div class=\"name\">breaker <b>{}</b> {}, ends {}{}</div>\n"
      "<svg class=\"track\" viewBox=\"0 0 {} 24\" preserveAspectRatio=\"none\" role=\"img\" "
      "aria-label=\"states of breaker {} over time\">\n",
      escaped(breaker.name), opened(breaker.openings), to_string(breaker.final_state),
      is_merged ? fmt::format("; {}: what is narrower than a pixel is drawn as one",
                              count_of(breaker.transition_count, "change"))
                : std::string(),
      end / std::chrono::milliseconds{1}, escaped(breaker.name));
  return html + drawing(pieces) + "</svg></div>\n";
}

}  // namespace

std::string strips(const RunView& view) {
  if (view.run.breakers.empty()) return {};
  std::string html =
      "<figure class=\"strips\">\n<figcaption><h3>Breakers</h3><p>State over the same time: a "
      "thin line is closed, half height half-open, full height open.</p></figcaption>\n"
      "<ul class=\"legend\"><li><svg class=\"state\" viewBox=\"0 0 22 24\"><path class=\"closed\" "
      "d=\"M0 24v-4h22v4z\"/></svg> closed</li><li><svg class=\"state\" viewBox=\"0 0 22 24\">"
      "<path class=\"half_open\" d=\"M0 24v-14h22v14z\"/></svg> half-open</li><li>"
      "<svg class=\"state\" viewBox=\"0 0 22 24\"><path class=\"open\" d=\"M0 24v-24h22v24z\"/>"
      "</svg> open</li></ul>\n";
  const Duration end = axis_end(view.run);
  for (const sim::BreakerResult& breaker : view.run.breakers) html += strip(breaker, end);
  return html + "</figure>\n";
}

}  // namespace brownout::reports::html
