// The engine in a program of somebody else: a policy that came with the package, a provider that is
// down at first, one call, and how it ended. Twice: on a runtime and a transport of its own, and
// through a client.

#include <algorithm>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/client/client.hpp"
#include "engine/pipeline/engine.hpp"
#include "engine/pipeline/pipeline.hpp"
#include "engine/policy_file/policy.hpp"
#include "engine/runtime/job_inbox.hpp"
#include "engine/runtime/timer_queue.hpp"
#include "engine/store/memory_store.hpp"

namespace {

using namespace brownout;
using namespace std::chrono_literals;

// A runtime of one's own: time that jumps from one timer to the next.
class Loop final : public Runtime {
 public:
  Instant now() const override { return now_; }
  SystemTime system_now() const override { return SystemTime{now_.time_since_epoch()}; }
  void arm(Timer& timer, Instant at) override { queue_.arm(timer, std::max(at, now_)); }
  void disarm(Timer& timer) override { queue_.disarm(timer); }
  // Here would be a wake-up where add() says that one is needed.
  void post_from_anywhere(Timer& job) override { std::ignore = inbox_.add(job); }
  void withdraw(Timer& job) override {
    if (!inbox_.remove(job)) queue_.disarm(job);
  }
  std::uint64_t seed() const override { return 1; }

  void run() {
    for (;;) {
      inbox_.move_to(queue_, now_);
      Timer* const next = queue_.pop();
      if (next == nullptr) return;
      now_ = next->due();
      next->fire();
    }
  }

 private:
  Instant now_{};
  TimerQueue queue_;
  JobInbox inbox_;
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

bool by_hand(const Policy& policy) {
  std::vector<std::string> targets;
  std::vector<TargetId> ids;
  for (const RouteSpec* route : policy.routes()) {
    ids.push_back(static_cast<TargetId>(targets.size()));
    targets.push_back(route->to);
  }

  Loop loop;
  Provider provider(loop);
  MemoryStore store;
  Observer observer;
  Engine engine(loop, provider, store, observer,
                std::make_unique<Pipeline>(policy, targets, ids, loop.seed()));

  Caller caller;
  const Request request{.key = cache_key("Good morning!", ""), .input_tokens = 4};
  engine.start(1, request, never, caller);
  loop.run();
  return caller.answered;
}

// A provider that is overloaded when a call first asks it.
void answer(const Attempt& attempt, std::string_view target,
            const FunctionTransport::Completion& done) {
  std::printf("attempt at %s\n", std::string(target).c_str());
  Outcome outcome;
  if (attempt.nth_at_target == 0) outcome = Outcome::failure(OutcomeKind::overloaded, 529);
  done(std::move(outcome));
}

bool by_client(const Policy& policy) {
  boost::asio::thread_pool pool(1);
  auto client = Client::make(pool.get_executor(), policy, function_transport(answer));
  return client && client->complete({}).ok();
}

}  // namespace

int main() {
  const auto policy = load_policy(BROWNOUT_DATA_DIR "/policies/recommended.json");
  if (!policy) {
    for (const Error& error : policy.error()) std::fputs(error.to_string().c_str(), stderr);
    return 1;
  }
  return by_hand(*policy) && by_client(*policy) ? 0 : 1;
}
