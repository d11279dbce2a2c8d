#include "engine/telemetry/observer.hpp"

namespace brownout {

std::string_view to_string(BreakerState state) {
  switch (state) {
    case BreakerState::closed:
      return "closed";
    case BreakerState::open:
      return "open";
    case BreakerState::half_open:
      return "half_open";
  }
  return "";
}

std::string_view to_string(WaitReason reason) {
  switch (reason) {
    case WaitReason::retry:
      return "retry";
    case WaitReason::quota:
      return "quota";
    case WaitReason::route:
      return "route";
  }
  return "";
}

std::string_view to_string(LookupEvent::Result result) {
  switch (result) {
    case LookupEvent::Result::hit:
      return "hit";
    case LookupEvent::Result::stale:
      return "stale";
    case LookupEvent::Result::miss:
      return "miss";
    case LookupEvent::Result::shared:
      return "shared";
  }
  return "";
}

}  // namespace brownout
