// The queue of a model whose slots are taken.

#include <algorithm>

#include "engine/core/check.hpp"
#include "mockserver/scripted_provider.hpp"

namespace brownout::mock {

std::uint64_t ScriptedProvider::Queue::push(const Plan& plan) {
  if (back_ - front_ == ring_.size()) grow();
  entry(back_) = {.plan = plan, .waiting = true};
  ++waiting_;
  return back_++;
}

void ScriptedProvider::Queue::erase(std::uint64_t number) {
  BROWNOUT_CHECK(number >= front_ && number < back_ && entry(number).waiting);
  entry(number).waiting = false;
  --waiting_;
  drop_gaps();
}

std::pair<std::uint64_t, Plan> ScriptedProvider::Queue::pop() {
  BROWNOUT_CHECK(waiting_ > 0);
  const std::pair<std::uint64_t, Plan> front{front_, entry(front_).plan};
  ++front_;
  --waiting_;
  drop_gaps();
  return front;
}

void ScriptedProvider::Queue::drop_gaps() {
  while (front_ < back_ && !entry(front_).waiting) ++front_;
}

void ScriptedProvider::Queue::grow() {
  std::vector<Entry> larger(std::max<std::size_t>(16, ring_.size() * 2));
  for (std::uint64_t i = front_; i < back_; ++i) larger[i & (larger.size() - 1)] = entry(i);
  ring_ = std::move(larger);
}

}  // namespace brownout::mock
