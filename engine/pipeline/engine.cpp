#include "engine/pipeline/engine.hpp"

#include <new>

#include "engine/core/check.hpp"

namespace brownout {
namespace {

std::size_t aligned(std::size_t offset) {
  constexpr std::size_t alignment = alignof(std::max_align_t);
  return (offset + alignment - 1) / alignment * alignment;
}

}  // namespace

Engine::Engine(Runtime& runtime, Transport& transport, ReplyStore& store, Observer& observer,
               std::unique_ptr<Pipeline> pipeline)
    : runtime_(runtime),
      transport_(transport),
      store_(store),
      observer_(observer),
      pipeline_(std::move(pipeline)) {
  limits_offset_ = aligned(sizeof(Call));
  counters_offset_ = aligned(limits_offset_ + pipeline_->depth() * sizeof(Limits));
  frames_offset_ = aligned(counters_offset_ + pipeline_->leaves() * sizeof(std::uint32_t));
  block_bytes_ = frames_offset_ + pipeline_->frame_bytes();
}

Engine::~Engine() {
  while (first_ != nullptr) first_->give_up(Cut::shutdown);
  while (free_ != nullptr) {
    Call* call = free_;
    free_ = call->next_;
    call->~Call();
    ::operator delete(static_cast<void*>(call));
  }
}

Call& Engine::start(CallId id, const Request& request, Instant deadline, CallListener& listener) {
  Call* call = acquire();
  call->begin(id, request, deadline, listener);
  return *call;
}

void Engine::cancel(Call& call) {
  call.give_up(Cut::caller);
}

Call* Engine::acquire() {
  Call* call = free_;
  if (call != nullptr) {
    free_ = call->next_;
  } else {
    call = ::new (::operator new(block_bytes_)) Call(*this);
  }
  call->previous_ = last_;
  call->next_ = nullptr;
  (last_ != nullptr ? last_->next_ : first_) = call;
  last_ = call;
  ++unfinished_;
  return call;
}

void Engine::recycle(Call* call) {
  (call->previous_ != nullptr ? call->previous_->next_ : first_) = call->next_;
  (call->next_ != nullptr ? call->next_->previous_ : last_) = call->previous_;
  call->next_ = free_;
  free_ = call;
  --unfinished_;
}

std::string Engine::describe_unfinished(std::size_t most) const {
  std::string text;
  std::size_t listed = 0;
  for (const Call* call = first_; call != nullptr && listed < most; call = call->next_, ++listed) {
    text += call->describe() + "\n";
  }
  if (unfinished_ > listed) text += "and " + std::to_string(unfinished_ - listed) + " more\n";
  return text;
}

}  // namespace brownout
