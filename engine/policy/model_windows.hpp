#pragma once

// How large the context windows of well-known models are.

#include <cstdint>
#include <string_view>

namespace brownout {

/// Tokens that the window of "provider/model" holds, input and output together; 0 where it is not
/// known. The name after the first slash decides, whoever serves it, by the longest known beginning
/// that ends where the name does or before one of `-@:`, so that "gpt-4-0613" is a gpt-4 and
/// "gpt-4.5" is not. A model that is sold with several windows counts with the one it has unless
/// asked otherwise.
std::uint32_t model_window(std::string_view target);

}  // namespace brownout
