// A client under fire: callers on several threads, an executor of several, a provider that answers
// on a thread of its own, and every layer that calls share.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <latch>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "engine/client/client.hpp"
#include "engine/pipeline/pipeline.hpp"
#include "engine/policy/breaker.hpp"
#include "tests/support/engine/stage.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using Completion = FunctionTransport::Completion;
using std::chrono::microseconds;

// Numbers that look random.
std::uint64_t mixed(std::uint64_t number) {
  number += 0x9E3779B97F4A7C15U;
  number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9U;
  number = (number ^ (number >> 27)) * 0x94D049BB133111EBU;
  return number ^ (number >> 31);
}

// Answers within 300 microseconds, from a thread of its own: a quarter of the attempts fail, one in
// thirty never answers, one in thirty breaks off without a word.
class Provider {
 public:
  ~Provider() { pool_.join(); }

  MakeTransport transport() {
    return function_transport([this](const Attempt&, std::string_view, Completion done) {
      const std::uint64_t number = mixed(started_.fetch_add(1));
      if (number % 30 == 1) return;
      auto flight = std::make_shared<Flight>(*this);
      done.on_cancel([flight, done] { flight->end(true); });
      if (number % 30 == 0 || all_hang_) return;
      flight->timer.expires_after(microseconds{(number >> 32) % 300});
      flight->timer.async_wait([flight, done, number](boost::system::error_code) {
        const bool fails = (number >> 16) % 4 == 0;
        flight->end(false);
        done(fails ? Outcome::failure(OutcomeKind::server_error, 500) : Outcome{});
      });
    });
  }

  void hang() { all_hang_ = true; }
  std::uint64_t started() const { return started_; }
  std::uint64_t cancelled() const { return cancelled_; }
  std::int64_t in_flight() const { return in_flight_; }  ///< neither answered nor cancelled

 private:
  struct Flight {
    explicit Flight(Provider& owner) : provider(owner), timer(owner.pool_) {
      ++provider.in_flight_;
    }
    void end(bool by_engine) {
      if (ended.exchange(true)) return;
      --provider.in_flight_;
      if (by_engine) ++provider.cancelled_;
    }

    Provider& provider;
    asio::steady_timer timer;
    std::atomic<bool> ended = false;
  };

  std::atomic<bool> all_hang_ = false;
  std::atomic<std::uint64_t> started_ = 0;
  std::atomic<std::uint64_t> cancelled_ = 0;
  std::atomic<std::int64_t> in_flight_ = 0;
  asio::thread_pool pool_{1};
};

// How often each call ended, and as what.
class Ledger {
 public:
  explicit Ledger(std::size_t calls) : ends_(calls) {}

  std::size_t next() { return begun_.fetch_add(1); }
  void note(std::size_t call, const Outcome& outcome) {
    ++ends_[call];
    ++kinds_[static_cast<std::size_t>(outcome.kind)];
  }
  std::size_t ends_of(std::size_t call) const { return ends_[call]; }
  std::size_t count(OutcomeKind kind) const { return kinds_[static_cast<std::size_t>(kind)]; }

 private:
  std::atomic<std::size_t> begun_ = 0;
  std::vector<std::atomic<std::uint32_t>> ends_;
  std::array<std::atomic<std::size_t>, outcome_kind_count> kinds_{};
};

Request request_of(std::size_t call, std::uint64_t prompts) {
  Request request;
  request.key = {1, mixed(call) % prompts};
  return request;
}

// Everything calls share, outermost first; times are real.
Policy shared_policy() {
  return policy_of(R"([
    { "cache": { "ttl": "2ms", "single_flight": true } },
    { "bulkhead": { "max_concurrent": 6, "max_queued": 100 } },
    { "fallback": { "routes": [
        { "name": "main", "to": "openai/gpt-4", "pipeline": [
            { "retry": { "max_attempts": 3, "budget": "tries", "wait": { "fixed": "100us" } } },
            { "hedge": { "delay": "200us" } },
            { "breaker": { "consecutive_failures": 4, "open_for": "2ms", "close_after": 2,
                           "probes": 2 } },
            { "timeout": { "attempt": "2ms" } } ] },
        { "name": "backup", "to": "anthropic/claude", "pipeline": [
            { "timeout": { "attempt": "2ms" } } ] } ] } } ])",
                   R"("budgets": { "tries": { "quota": {} } }, "deadline": "5s")");
}

// Begins calls one after the other on a strand of its own, and gives some of them up.
class ImpatientCaller : public std::enable_shared_from_this<ImpatientCaller> {
 public:
  ImpatientCaller(Client& client, Ledger& ledger, std::size_t calls, asio::any_io_executor executor,
                  std::latch& done)
      : client_(client), ledger_(ledger), left_(calls), strand_(std::move(executor)), done_(done) {}

  void begin() {
    asio::post(strand_, [self = shared_from_this()] { self->next(); });
  }

 private:
  void next() {
    if (left_-- == 0) return done_.count_down();
    const std::size_t call = ledger_.next();
    client_.async_complete(
        request_of(call, 40),
        asio::bind_executor(
            strand_, asio::bind_cancellation_slot(
                         signal_.slot(), [self = shared_from_this(), call](const Outcome& outcome) {
                           self->ledger_.note(call, outcome);
                           self->timer_.cancel();
                           self->next();
                         })));
    if (mixed(call) % 2 == 0) return;
    timer_.expires_after(microseconds{mixed(call) / 2 % 400});
    timer_.async_wait([self = shared_from_this()](boost::system::error_code error) {
      if (!error) self->signal_.emit(asio::cancellation_type::terminal);
    });
  }

  Client& client_;
  Ledger& ledger_;
  std::size_t left_;
  asio::strand<asio::any_io_executor> strand_;
  std::latch& done_;
  asio::cancellation_signal signal_;
  asio::steady_timer timer_{strand_};
};

asio::awaitable<void> call_often(Client& client, Ledger& ledger, int calls) {
  for (int i = 0; i < calls; ++i) {
    const std::size_t call = ledger.next();
    ledger.note(call, co_await client.async_complete(request_of(call, 40), asio::use_awaitable));
  }
}

Client client_on(asio::thread_pool& pool, Provider& provider, const Policy& policy,
                 Duration deadline = forever) {
  auto client = Client::make(pool.get_executor(), policy, provider.transport(),
                             {.shards = 2, .deadline = deadline, .seed = 1});
  EXPECT_TRUE(client);
  return std::move(*client);
}

// 4 threads run 2 shards; 2 threads wait for 300 calls each; 8 coroutines make 300 calls each and 8
// callers that give up half of theirs as many; meanwhile the policy is reloaded.
TEST(ClientOnManyThreads, EveryCallEndsOnceAndEveryPermitComesBack) {
  constexpr int each = 300;
  Provider provider;
  Ledger ledger(18 * each);
  const Policy policy = shared_policy();
  std::latch impatient(8);
  {
    asio::thread_pool pool(4);
    Client client = client_on(pool, provider, policy);
    for (int i = 0; i < 8; ++i) {
      asio::co_spawn(pool, call_often(client, ledger, each), asio::detached);
      std::make_shared<ImpatientCaller>(client, ledger, each, pool.get_executor(), impatient)
          ->begin();
    }
    {
      const auto wait_often = [&] {
        for (int i = 0; i < each; ++i) {
          const std::size_t call = ledger.next();
          ledger.note(call, client.complete(request_of(call, 40)));
          if (i % 100 != 50) continue;
          EXPECT_TRUE(client.reload(policy));
        }
      };
      const std::jthread first(wait_often);
      const std::jthread second(wait_often);
    }
    pool.join();
    for (const auto& info : client.pipeline()->breakers()) {
      EXPECT_EQ(info.breaker->probes_in_flight(), 0U) << info.name;
    }
  }
  for (std::size_t call = 0; call < 18 * each; ++call) {
    ASSERT_EQ(ledger.ends_of(call), 1U) << "call " << call;
  }
  EXPECT_EQ(provider.in_flight(), 0) << "attempts that nobody wants any more must be cancelled";
  // What this is meant to stir up has happened.
  EXPECT_GT(provider.cancelled(), 0U);
  EXPECT_GT(ledger.count(OutcomeKind::success), 0U);
  EXPECT_GT(ledger.count(OutcomeKind::cancelled), 0U);
}

// A storm of calls that are given up, and then calls that hang: as many as there are places reach
// the provider, and no more.
TEST(ClientOnManyThreads, ABulkheadHasAllItsPlacesAfterwards) {
  constexpr int places = 6;
  constexpr int callers = 12;
  constexpr int each = 150;
  Provider provider;
  Ledger ledger(callers * each + 2 * places);
  std::latch storm(callers);
  asio::thread_pool pool(4);
  std::optional<Client> client(client_on(pool, provider, policy_of(R"([
      { "bulkhead": { "max_concurrent": 6, "max_queued": 100 } },
      { "retry": { "max_attempts": 2, "wait": { "fixed": "100us" } } } ])"),
                                         3ms));
  for (int i = 0; i < callers; ++i) {
    std::make_shared<ImpatientCaller>(*client, ledger, each, pool.get_executor(), storm)->begin();
  }
  storm.wait();
  EXPECT_GT(ledger.count(OutcomeKind::cancelled), 0U);
  EXPECT_EQ(provider.in_flight(), 0);

  provider.hang();
  for (int i = 0; i < 2 * places; ++i) {
    const std::size_t call = ledger.next();
    client->async_complete(request_of(call, 40), forever,
                           [&, call](const Outcome& outcome) { ledger.note(call, outcome); });
  }
  for (int i = 0; i < 1000 && provider.in_flight() < places; ++i) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(provider.in_flight(), places);
  client.reset();
  pool.join();
  EXPECT_EQ(provider.in_flight(), 0) << "the end of a client cancels what is under way";
  for (std::size_t call = 0; call < callers * each + 2 * places; ++call) {
    ASSERT_EQ(ledger.ends_of(call), 1U) << "call " << call;
  }
}

}  // namespace
}  // namespace brownout::testing
