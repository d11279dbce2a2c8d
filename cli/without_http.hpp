#pragma once

// What a program that was built without HTTP (BROWNOUT_HTTP=OFF) says of what it lacks.

#include <string>
#include <string_view>

namespace brownout::cli {

/// "this program was built without HTTP, …, and `what` needs it"
std::string without_http(std::string_view what);

}  // namespace brownout::cli
