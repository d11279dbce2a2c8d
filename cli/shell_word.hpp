#pragma once

#include <string>

namespace brownout::cli {

/// `word` as it must be typed into a shell to be one word: in quotes where it needs them.
std::string shell_word(const std::string& word);

}  // namespace brownout::cli
