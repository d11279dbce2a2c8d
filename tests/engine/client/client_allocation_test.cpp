// A call that a coroutine awaits on the client's executor allocates nothing, once its slots are
// made: neither the call's own memory, nor Asio's, nor the coroutine's. A strand passes Asio's
// recycled memory around, and now and then a piece does not fit.

#include <gtest/gtest.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>

#include "engine/client/client.hpp"
#include "tests/sim/kernel/heap_counter.hpp"

namespace brownout {
namespace {

namespace asio = boost::asio;

constexpr JobName reply_job{"reply"};

// One attempt at a time, which succeeds by a post.
class PostedReply final : public Transport, private Timer {
 public:
  explicit PostedReply(Runtime& runtime) : Timer(reply_job), runtime_(runtime) {}
  Handle start(const Attempt&, AttemptListener& listener) override {
    listener_ = &listener;
    runtime_.post(*this);
    return Handle{};
  }
  Outcome detach(Handle) override {
    runtime_.disarm(*this);
    return Outcome::failure(OutcomeKind::cancelled);
  }

 private:
  void fire() override { listener_->on_end(Outcome{}); }

  Runtime& runtime_;
  AttemptListener* listener_ = nullptr;
};

Policy policy() {
  auto parsed = parse_policy("inline", R"({
      "kind": "policy", "version": 1, "name": "full", "to": "openai/gpt-4", "deadline": "60s",
      "pipeline": [
        { "retry": { "max_attempts": 3, "wait": { "fixed": "1s" } } },
        { "breaker": { "consecutive_failures": 5 } },
        { "timeout": { "attempt": "30s" } } ] })");
  EXPECT_TRUE(parsed);
  return std::move(*parsed);
}

asio::awaitable<void> call_often(Client& client, std::size_t& allocated) {
  for (int i = 0; i < 400; ++i) {
    if (i == 200) allocated = heap_allocations();
    const Outcome outcome = co_await client.async_complete({}, asio::deferred);
    EXPECT_TRUE(outcome.ok());
  }
  allocated = heap_allocations() - allocated;
}

TEST(Client, AllocatesNothingForACallInSteadyStateAndNextToNothingOnAStrand) {
  for (const bool serial : {true, false}) {
    asio::io_context context(1);
    auto client = Client::make(
        context.get_executor(), policy(),
        [](AsioRuntime& runtime, const auto&) { return std::make_unique<PostedReply>(runtime); },
        {.executor_is_serial = serial});
    ASSERT_TRUE(client);
    std::size_t allocated = 0;
    asio::co_spawn(context, call_often(*client, allocated), asio::detached);
    context.run();
    EXPECT_LE(allocated, serial ? 0U : 200U / 20) << (serial ? "on the executor" : "on a strand");
  }
}

}  // namespace
}  // namespace brownout
