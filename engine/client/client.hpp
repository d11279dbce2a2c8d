#pragma once

// Calls to language models, kept to a policy: the engine as programs use it.
//
//     boost::asio::io_context context;
//     auto client = Client::make(context.get_executor(), *policy, function_transport(ask),
//                                {.executor_is_serial = true});
//     Outcome outcome = co_await client->async_complete(request, boost::asio::use_awaitable);
//
// docs/guide/library.md begins at the beginning.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "engine/client/async_call.hpp"
#include "engine/client/client_shard.hpp"
#include "engine/core/result.hpp"
#include "engine/pipeline/pipeline.hpp"
#include "engine/policy_file/policy.hpp"
#include "engine/runtime/asio_runtime.hpp"
#include "engine/store/reply_store.hpp"
#include "engine/telemetry/observer.hpp"
#include "engine/transport/function_transport.hpp"
#include "engine/transport/transport.hpp"

namespace brownout {

/// Makes the transport of one shard, on its runtime, which outlives it. `targets[i]` is the
/// "provider/model" that every shard's transport knows as number i. Called by Client::make() on the
/// caller's thread: the transport does nothing before its first attempt.
using MakeTransport = std::function<std::unique_ptr<Transport>(
    AsioRuntime& runtime, const std::vector<std::string>& targets)>;

/// Attempts are made by `function`, which with several shards is called on several threads.
MakeTransport function_transport(FunctionTransport::Function function);

/// Makes, or hands out, the store of replies for one shard, which must answer on its runtime.
/// Called like MakeTransport.
using MakeStore = std::function<std::shared_ptr<ReplyStore>(AsioRuntime& runtime)>;

/// Takes the text of a streamed reply as it comes.
using Output = std::function<void(std::string_view text)>;

/// Makes an observer of calls that ride through `pipeline`, whose names it may take. Called for
/// each policy, on the thread that brings it; may return the same observer each time.
using MakeObserver = std::function<std::shared_ptr<Observer>(const Pipeline& pipeline)>;

struct ClientOptions {
  /// Engines, each on a strand of its own, that share the load and the policy's state: its breakers
  /// see all calls, its limits hold for all together. More than the executor has threads gain
  /// nothing. At least 1. Default 1.
  std::size_t shards = 1;

  /// The executor runs one thing at a time: an io_context that one thread runs, or a strand. The
  /// only shard then does without a strand, and calls begun on the executor begin at once. Ignored
  /// with several shards. Default false.
  bool executor_is_serial = false;

  /// Deadline of calls that are given none, from their beginning; the policy's applies as well.
  /// Default: forever.
  Duration deadline = forever;

  /// The root of every draw. Default: from the operating system's entropy, so that processes that
  /// failed together do not come back together.
  std::optional<std::uint64_t> seed{};

  /// Every "provider/model" that transports can reach. Policies loaded later may lead to these and
  /// no others. Default: those that the first policy leads to.
  std::vector<std::string> targets{};

  /// What "role:NAME" in a policy leads to: {"independent", "anthropic/claude"}. Used for routes
  /// that name no model, or one that is not in `targets`. Default: none.
  std::map<std::string, std::string> roles{};

  /// Default: one MemoryStore, shared by the shards.
  MakeStore store{};

  /// Hears all shards, on all their threads. Default: nobody.
  MakeObserver observer{};
};

/// Policy, transports, store and observer on an executor.
///
/// *Ownership*: shares what it is given; the executor's context must outlive it. Destroyed, it ends
/// the calls under way as cancelled; its shards are taken down on the executor, so what transports
/// and observer refer to must stay until that has run or its context is gone. *Threads*: members
/// may be called on any at any time, except that nothing else may be under way when it is destroyed
/// or moved.
class Client {
 public:
  /// Errors: a route that leads nowhere, by name.
  static Result<Client> make(boost::asio::any_io_executor executor, const Policy& policy,
                             const MakeTransport& make_transport, ClientOptions options = {});
  Client(Client&& other) noexcept;
  Client& operator=(Client&& other) noexcept;
  ~Client();

  /// Begins a call. Completes with `void(Outcome)` on the handler's executor (by default the
  /// client's), never inside this function: exactly once, whatever the providers do. A call that is
  /// cancelled through the token's cancellation slot, with whatever type, ends as `cancelled`, and
  /// its attempts are given up. `within` is the caller's own deadline, in place of the default.
  ///
  /// A handler whose executor allows it runs on the shard's strand: what takes long there keeps the
  /// shard's other calls waiting.
  template <class Token>
  auto async_complete(Request request, Duration within, Token&& token) {
    return boost::asio::async_initiate<Token, void(Outcome)>(
        [](auto handler, Client* client, Request&& what, Duration limit) {
          using AsyncCall = detail::AsyncCall<std::decay_t<decltype(handler)>>;
          AsyncCall::start(client->next_shard(), client->plan(std::move(what), limit),
                           std::move(handler));
        },
        token, this, std::move(request), within);
  }
  template <class Token>
  auto async_complete(Request request, Token&& token) {
    return async_complete(std::move(request), default_deadline(), std::forward<Token>(token));
  }

  /// The same for a streamed reply, whatever `request.stream` says: `output` takes its text piece
  /// by piece, as it comes. What it has been told is the caller's: no retry, no other route and no
  /// lost hedge ever begins again after the first piece. A reply that comes whole, because the
  /// policy holds it until it is complete or because it was stored, is not told to it; the
  /// outcome's reply has the whole text of every success.
  ///
  /// `output` runs where the call is carried out, on the client's executor or a strand of it, never
  /// concurrently with itself and never after the handler has begun. What takes long there keeps
  /// other calls waiting and does not slow the provider down; it must not throw. After a
  /// cancellation it may still be told what was under way.
  template <class Token>
  auto async_stream(Request request, Output output, Duration within, Token&& token) {
    request.stream = true;
    return boost::asio::async_initiate<Token, void(Outcome)>(
        [](auto handler, Client* client, Request&& what, Output&& to, Duration limit) {
          using AsyncCall = detail::AsyncCall<std::decay_t<decltype(handler)>>;
          detail::ClientCall::Plan plan = client->plan(std::move(what), limit);
          plan.output = std::move(to);
          AsyncCall::start(client->next_shard(), std::move(plan), std::move(handler));
        },
        token, this, std::move(request), std::move(output), within);
  }
  template <class Token>
  auto async_stream(Request request, Output output, Token&& token) {
    return async_stream(std::move(request), std::move(output), default_deadline(),
                        std::forward<Token>(token));
  }

  /// Makes a call and waits for its end. Requires: not called on a thread that the executor needs
  /// to go on, least of all its only one.
  Outcome complete(Request request, Duration within);
  Outcome complete(Request request) { return complete(std::move(request), default_deadline()); }

  /// The same for a streamed reply; `output` as in async_stream(), on a thread of the executor.
  Outcome stream(Request request, Output output, Duration within);
  Outcome stream(Request request, Output output) {
    return stream(std::move(request), std::move(output), default_deadline());
  }

  /// From now on calls ride through `policy`; those under way finish in the one they began in.
  /// Errors: as make(), and a model that is not among the targets; then nothing changes.
  Result<void> reload(const Policy& policy);

  /// Of the newest policy: its names, its breakers, its budgets.
  std::shared_ptr<const Pipeline> pipeline() const;

  /// Every "provider/model" that can be reached, as transports number them.
  const std::vector<std::string>& targets() const;

  boost::asio::any_io_executor get_executor() const;

 private:
  struct State;

  explicit Client(std::unique_ptr<State> state);

  detail::ClientShard& next_shard();
  detail::ClientCall::Plan plan(Request&& request, Duration within);
  Duration default_deadline() const;

  std::unique_ptr<State> state_;
};

}  // namespace brownout
