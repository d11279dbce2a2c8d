#pragma once

// The frame of every page: nothing is asked of a network, and nothing runs but what we wrote.

#include <string>
#include <string_view>
#include <vector>

namespace brownout::reports::html {

struct Page {
  std::string title;                      ///< text
  std::vector<std::string_view> styles;   ///< names of embedded files
  std::vector<std::string_view> scripts;  ///< likewise; they run after the content
  std::string content;                    ///< HTML of the body
};

/// The whole document. Its Content-Security-Policy lets in the embedded files by their hash, and
/// nothing else: neither what is inside `content` nor anything from elsewhere.
std::string page(const Page& page);

/// An embedded file's text. Requires: there is one of that name.
std::string_view asset(std::string_view name);

}  // namespace brownout::reports::html
