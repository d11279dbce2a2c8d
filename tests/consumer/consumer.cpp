// The engine in a program of somebody else: a policy that came with the package, a provider that is
// down at first, one call, and how it ended.

#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/pipeline/engine.hpp"
#include "engine/pipeline/pipeline.hpp"
#include "engine/pipeline/policy.hpp"
#include "engine/store/memory_store.hpp"

namespace {

using namespace brownout;
using namespace std::chrono_literals;

// Time that jumps from one timer to the next.
class Loop final : public Runtime {
 public:
  Instant now() const override { return now_; }
  SystemTime system_now() const override { return SystemTime{now_.time_since_epoch()}; }
  void arm(Timer& timer, Instant at) override { armed_.emplace(at, &timer); }
  void disarm(Timer& timer) override {
    std::erase_if(armed_, [&](const auto& entry) { return entry.second == &timer; });
  }
  void post_from_anywhere(Timer& job) override { post(job); }
  std::uint64_t seed() const override { return 1; }

  void run() {
    while (!armed_.empty()) {
      const auto next = armed_.extract(armed_.begin());
      now_ = std::max(now_, next.key());
      next.mapped()->fire();
    }
  }

 private:
  Instant now_{};
  std::multimap<Instant, Timer*> armed_;
};

// A provider that is overloaded once and then answers, each after a second.
class Provider final : public Transport {
 public:
  explicit Provider(Runtime& runtime) : runtime_(runtime), reply_(*this) {}

  Handle start(const Attempt& attempt, AttemptListener& listener) override {
    ++attempts_;
    std::printf("attempt %d at target %d\n", attempts_, int{attempt.target});
    listener_ = &listener;
    runtime_.arm(reply_, after(runtime_.now(), 1s));
    return Handle{};
  }

  Outcome detach(Handle) override {
    runtime_.disarm(reply_);
    return Outcome::failure(OutcomeKind::cancelled);
  }

 private:
  struct Reply final : Timer {
    explicit Reply(Provider& provider) : Timer(job), provider_(provider) {}
    void fire() override { provider_.answer(); }

    static constexpr JobName job{"provider's reply"};
    Provider& provider_;
  };

  void answer() {
    if (attempts_ == 1) {
      listener_->on_end(Outcome::failure(OutcomeKind::overloaded, 529));
      return;
    }
    Outcome outcome;
    outcome.served = Served::live;
    outcome.status = 200;
    outcome.reply.text = std::make_shared<const std::string>("good morning");
    listener_->on_end(std::move(outcome));
  }

  Runtime& runtime_;
  Reply reply_;
  AttemptListener* listener_ = nullptr;
  int attempts_ = 0;
};

struct Caller final : CallListener {
  void on_call_end(CallId call, Outcome&& outcome) override {
    std::printf("call %d: %s, %s\n", int(call), std::string(to_string(end_of(outcome))).c_str(),
                outcome.reply.text ? outcome.reply.text->c_str() : "no reply");
    answered = outcome.ok();
  }

  bool answered = false;
};

}  // namespace

int main() {
  const auto policy = load_policy(BROWNOUT_DATA_DIR "/policies/recommended.json");
  if (!policy) {
    for (const Error& error : policy.error()) std::fputs(error.to_string().c_str(), stderr);
    return 1;
  }

  std::vector<std::string> targets;
  std::vector<TargetId> ids;
  for (const RouteSpec* route : policy->routes()) {
    ids.push_back(static_cast<TargetId>(targets.size()));
    targets.push_back(route->to);
  }

  Loop loop;
  Provider provider(loop);
  MemoryStore store;
  Observer observer;
  Engine engine(loop, provider, store, observer,
                std::make_unique<Pipeline>(*policy, targets, ids, loop.seed()));

  Caller caller;
  const Request request{.key = cache_key("Good morning!", ""), .input_tokens = 4};
  engine.start(1, request, never, caller);
  loop.run();
  return caller.answered ? 0 : 1;
}
