#include "engine/core/result.hpp"

namespace brownout {

std::string Error::to_string(std::string_view severity) const {
  std::string text = std::string(severity) + ": " + message + "\n";
  if (!excerpt.empty()) text += excerpt;
  return text;
}

}  // namespace brownout
