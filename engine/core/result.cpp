#include "engine/core/result.hpp"

namespace brownout {

std::string Error::to_string() const {
  std::string text = "error: " + message + "\n";
  if (!excerpt.empty()) text += excerpt;
  return text;
}

}  // namespace brownout
