#pragma once

#include <cstdio>

namespace brownout::cli {

/// Whether text on this stream may be coloured: it is a terminal, and NO_COLOR is unset or empty.
bool wants_color(std::FILE* stream);

}  // namespace brownout::cli
