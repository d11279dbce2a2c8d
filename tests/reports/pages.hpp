#pragma once

// Pages for browsers, as tests look at them.

#include <initializer_list>
#include <string>
#include <utility>

namespace brownout::reports::testing {

/// The page without what is a file of its own: style sheets, scripts, uPlot's license, and hashes
/// of these.
inline std::string without_assets(std::string page) {
  for (const auto& [begin, end] :
       std::initializer_list<std::pair<std::string, std::string>>{{"<style>", "</style>"},
                                                                  {"<script>", "</script>"},
                                                                  {"'sha256-", "'"},
                                                                  {"<!--", "-->"}}) {
    for (auto at = page.find(begin); at != page.npos; at = page.find(begin, at + 1)) {
      const auto from = at + begin.size();
      page.erase(from, page.find(end, from) - from);
    }
  }
  return page;
}

}  // namespace brownout::reports::testing
