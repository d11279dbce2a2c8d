// What a call through a Client costs its caller, next to the least an awaited operation can cost:
// one post to the same executor. The provider answers by one post too, so a call has at least that.
//
// Coroutines call one after the other; `in_flight` of them at a time. Read the column "per_call".

#include <benchmark/benchmark.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "engine/client/client.hpp"

namespace brownout {
namespace {

namespace asio = boost::asio;

constexpr std::int64_t batch = 10'000;
constexpr JobName reply_job{"reply"};

void report(benchmark::State& state) {
  using Counter = benchmark::Counter;
  state.counters["per_call"] =
      Counter(static_cast<double>(state.iterations() * batch), Counter::kIsRate | Counter::kInvert);
}

// Every attempt ends by one post, in recycled records.
class PostedReplies final : public Transport {
 public:
  explicit PostedReplies(Runtime& runtime, OutcomeKind kind) : runtime_(runtime), kind_(kind) {}

  Handle start(const Attempt&, AttemptListener& listener) override {
    if (free_.empty()) {
      replies_.push_back(std::make_unique<Reply>(*this));
      free_.push_back(replies_.back().get());
    }
    Reply* const reply = free_.back();
    free_.pop_back();
    reply->listener = &listener;
    runtime_.post(*reply);
    return Handle{reinterpret_cast<std::uintptr_t>(reply)};
  }
  Outcome detach(Handle handle) override {
    auto* const reply = reinterpret_cast<Reply*>(handle);
    runtime_.disarm(*reply);
    free_.push_back(reply);
    return Outcome::failure(OutcomeKind::cancelled);
  }

 private:
  struct Reply final : Timer {
    explicit Reply(PostedReplies& owner) : Timer(reply_job), transport(owner) {}
    void fire() override {
      transport.free_.push_back(this);
      listener->on_end(Outcome::failure(transport.kind_));
    }
    PostedReplies& transport;
    AttemptListener* listener = nullptr;
  };

  Runtime& runtime_;
  const OutcomeKind kind_;
  std::vector<std::unique_ptr<Reply>> replies_;
  std::vector<Reply*> free_;
};

Policy policy_of(const char* pipeline) {
  auto policy = parse_policy(
      "bench", std::string(R"({ "kind": "policy", "version": 1, "name": "bench", )") +
                   R"("deadline": "60s", "to": "openai/gpt-4", "pipeline": )" + pipeline + "}");
  if (policy) return std::move(*policy);
  for (const Error& error : policy.error()) std::cerr << error.to_string();
  std::exit(2);
}

constexpr const char* bare = "[]";
constexpr const char* usual = R"([
    { "retry": { "max_attempts": 3 } }, { "breaker": { "consecutive_failures": 5 } },
    { "timeout": { "attempt": "30s" } } ])";
constexpr const char* closed_to_all = R"([ { "breaker": { "consecutive_failures": 1 } } ])";

Client client_on(const asio::any_io_executor& executor, const char* pipeline, bool serial,
                 OutcomeKind kind = OutcomeKind::success) {
  auto client = Client::make(executor, policy_of(pipeline),
                             [kind](AsioRuntime& runtime, const auto&) {
                               return std::make_unique<PostedReplies>(runtime, kind);
                             },
                             {.executor_is_serial = serial});
  if (!client) std::exit(2);
  return std::move(*client);
}

asio::awaitable<void> call_often(Client& client, std::int64_t calls) {
  for (; calls > 0; --calls) {
    benchmark::DoNotOptimize(co_await client.async_complete({}, asio::deferred));
  }
}

asio::awaitable<void> post_often(asio::io_context& context, std::int64_t posts) {
  for (; posts > 0; --posts) co_await asio::post(context, asio::deferred);
}

template <class Begin>
void run_batches(benchmark::State& state, asio::io_context& context, Begin begin) {
  for (auto _ : state) {
    for (std::int64_t i = 0; i < state.range(0); ++i) begin(batch / state.range(0));
    context.run();
    context.restart();
  }
  report(state);
}

void AwaitedPost(benchmark::State& state) {
  asio::io_context context(1);
  run_batches(state, context, [&](std::int64_t posts) {
    asio::co_spawn(context, post_often(context, posts), asio::detached);
  });
}
BENCHMARK(AwaitedPost)->ArgName("in_flight")->Arg(1)->Arg(1'000);

void AwaitedCall(benchmark::State& state, const char* pipeline, bool serial, OutcomeKind kind) {
  asio::io_context context(1);
  Client client = client_on(context.get_executor(), pipeline, serial, kind);
  run_batches(state, context, [&](std::int64_t calls) {
    asio::co_spawn(context, call_often(client, calls), asio::detached);
  });
}
BENCHMARK_CAPTURE(AwaitedCall, bare, bare, true, OutcomeKind::success)
    ->ArgName("in_flight")
    ->Arg(1)
    ->Arg(1'000);
BENCHMARK_CAPTURE(AwaitedCall, usual, usual, true, OutcomeKind::success)
    ->ArgName("in_flight")
    ->Arg(1)
    ->Arg(1'000);
BENCHMARK_CAPTURE(AwaitedCall, usual_on_a_strand, usual, false, OutcomeKind::success)
    ->ArgName("in_flight")
    ->Arg(1)
    ->Arg(1'000);
BENCHMARK_CAPTURE(AwaitedCall, rejected, closed_to_all, true, OutcomeKind::server_error)
    ->ArgName("in_flight")
    ->Arg(1)
    ->Arg(1'000);

/// From a thread that waits, to one that runs the engine and back.
void BlockingCall(benchmark::State& state) {
  asio::thread_pool pool(1);
  Client client = client_on(pool.get_executor(), usual, false);
  for (auto _ : state) benchmark::DoNotOptimize(client.complete({}));
}
BENCHMARK(BlockingCall)->UseRealTime();

}  // namespace
}  // namespace brownout
