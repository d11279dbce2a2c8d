#include "engine/pipeline/layer.hpp"

#include "engine/core/check.hpp"
#include "engine/pipeline/call.hpp"
#include "engine/pipeline/engine.hpp"

namespace brownout {

Action Layer::resume(Visit&, Signal, Outcome&) {
  BROWNOUT_UNREACHABLE("a layer that never waits was resumed");
}

Instant Visit::now() const {
  return call_.engine_.runtime_.now();
}
CallId Visit::call_id() const {
  return call_.id_;
}
const Request& Visit::request() const {
  return *call_.request_;
}
Instant Visit::call_started() const {
  return call_.started_;
}
std::uint32_t Visit::attempts() const {
  return call_.attempts_;
}
ReplyStore& Visit::store() {
  return call_.engine_.store_;
}
Observer& Visit::observer() {
  return call_.engine_.observer_;
}

const StoredReply& Visit::found() const {
  BROWNOUT_CHECK(call_.found_ != nullptr);
  return *call_.found_;
}

void Visit::reject(BreakerId breaker) {
  call_.rejected_ = true;
  observer().on_rejection({call_.id_, breaker, call_.started_, now()});
}

}  // namespace brownout
