#include "engine/pipeline/engine.hpp"

#include <algorithm>
#include <new>

#include "engine/core/check.hpp"

namespace brownout {
namespace {

std::size_t aligned(std::size_t offset) {
  constexpr std::size_t alignment = alignof(std::max_align_t);
  return (offset + alignment - 1) / alignment * alignment;
}

}  // namespace

CallLayout::CallLayout(std::shared_ptr<Pipeline> of, Observer& by)
    : pipeline(std::move(of)), observer(&by) {
  limits_offset = aligned(sizeof(Call));
  counters_offset = aligned(limits_offset + pipeline->depth() * sizeof(Limits));
  frames_offset = aligned(counters_offset + pipeline->leaves() * sizeof(std::uint32_t));
  block_bytes = frames_offset + pipeline->frame_bytes();
}

Engine::Engine(Runtime& runtime, Transport& transport, ReplyStore& store, Observer& observer,
               std::shared_ptr<Pipeline> pipeline)
    : runtime_(runtime), transport_(transport), store_(store) {
  layouts_.emplace_back(std::move(pipeline), observer);
}

Engine::~Engine() {
  while (first_ != nullptr) first_->give_up(Cut::shutdown);
  for (CallLayout& layout : layouts_) free_blocks(layout);
}

Call& Engine::start(CallId id, const Request& request, Instant deadline, CallListener& listener) {
  Call* call = acquire(layouts_.back());
  call->previous_ = last_;
  call->next_ = nullptr;
  (last_ != nullptr ? last_->next_ : first_) = call;
  last_ = call;
  ++unfinished_;
  call->begin(id, request, deadline, listener);
  return *call;
}

void Engine::cancel(Call& call) {
  call.give_up(Cut::caller);
}

void Engine::reload(std::shared_ptr<Pipeline> pipeline, Observer* observer) {
  CallLayout& old = layouts_.back();
  layouts_.emplace_back(std::move(pipeline), observer != nullptr ? *observer : *old.observer);
  if (old.in_use > 0) return;
  free_blocks(old);
  layouts_.erase(std::prev(layouts_.end(), 2));
}

Call* Engine::acquire(CallLayout& layout) {
  ++layout.in_use;
  Call* call = layout.free;
  if (call == nullptr) return ::new (::operator new(layout.block_bytes)) Call(*this, layout);
  layout.free = call->next_;
  return call;
}

void Engine::recycle(Call* call) {
  (call->previous_ != nullptr ? call->previous_->next_ : first_) = call->next_;
  (call->next_ != nullptr ? call->next_->previous_ : last_) = call->previous_;
  --unfinished_;
  give_back(call);
}

void Engine::recycle_copy(Call* copy) {
  Call** link = &copy->parent_->copies_;
  while (*link != copy) link = &(*link)->next_copy_;
  *link = copy->next_copy_;
  copy->copy_ = 0;
  copy->parent_ = nullptr;
  copy->forked_at_ = nullptr;
  give_back(copy);
}

void Engine::give_back(Call* block) {
  CallLayout& layout = block->layout_;
  block->found_.reset();
  block->next_ = layout.free;
  layout.free = block;
  if (--layout.in_use > 0 || &layout == &layouts_.back()) return;
  // The last call of an earlier pipeline is over: nobody touches its block any more.
  free_blocks(layout);
  layouts_.remove_if([&](const CallLayout& other) { return &other == &layout; });
}

void Engine::free_blocks(CallLayout& layout) {
  while (layout.free != nullptr) {
    Call* call = layout.free;
    layout.free = call->next_;
    call->~Call();
    ::operator delete(static_cast<void*>(call));
  }
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
