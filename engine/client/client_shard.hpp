#pragma once

// What a Client is made of. Included by client.hpp for its templates; not for use elsewhere.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>

#include "engine/pipeline/engine.hpp"
#include "engine/runtime/asio_runtime.hpp"

namespace brownout::detail {

class ClientCall;

/// One engine with everything of its own. *Threads*: its runtime's, after it has been set up.
class ClientShard {
 public:
  ClientShard(boost::asio::any_io_executor executor, std::uint64_t seed)
      : runtime_(std::move(executor), seed) {}
  ClientShard(const ClientShard&) = delete;
  ClientShard& operator=(const ClientShard&) = delete;

  /// Without shut_down() calls that have not ended vanish: their handlers are destroyed, as Asio
  /// does with what an io_context has not run when it is destroyed.
  ~ClientShard();

  /// `pipeline` keeps the observer alive.
  void set_up(std::unique_ptr<Transport> transport, std::shared_ptr<ReplyStore> store,
              Observer& observer, std::shared_ptr<Pipeline> pipeline);

  AsioRuntime& runtime() { return runtime_; }
  Engine& engine() { return *engine_; }

  /// Ends all calls as cancelled.
  void shut_down();
  bool tells_when_dropped() const { return shut_down_; }

  void add(ClientCall& call);
  void remove(ClientCall& call);

  /// Counts a call out at its end, also when the caller's handler throws.
  class Leaving {
   public:
    explicit Leaving(ClientShard& shard) : shard_(shard) {}
    Leaving(const Leaving&) = delete;
    Leaving& operator=(const Leaving&) = delete;
    ~Leaving() {
      if (--shard_.calls_ == 0) shard_.work_.reset();
    }

   private:
    ClientShard& shard_;
  };

 private:
  bool shut_down_ = false;  // calls in the inbox ask to the last
  AsioRuntime runtime_;
  std::shared_ptr<ReplyStore> store_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<Engine> engine_;
  ClientCall* first_ = nullptr;  // of the calls in the engine
  std::size_t calls_ = 0;

  // While there are calls, however long a provider on other threads is silent, the executor has
  // something to wait for.
  std::optional<boost::asio::executor_work_guard<boost::asio::any_io_executor>> work_;
};

/// A call on its way from a caller to an engine and back.
///
/// *Ownership*: its own from launch() on; it ends in deliver() or discard(). *Threads*: launch()
/// and cancel() on the caller's, everything else on the shard's.
class ClientCall : private Timer, private CallListener {
 public:
  struct Plan {
    CallId id = 0;
    Request request;
    Duration within = forever;
    bool cancellable = false;
    std::function<void(std::string_view)> output{};
  };

  /// Gives the call up, unless it has ended. Its outcome comes later.
  void cancel();

 protected:
  ClientCall(ClientShard& shard, Plan&& plan);
  virtual ~ClientCall() = default;

  void launch();
  ClientShard& shard() { return shard_; }

  /// The call is over. At once: from inside a handler on the shard's executor that is done with it.
  virtual void deliver(Outcome&& outcome, bool at_once) = 0;

  /// The call will never be over.
  virtual void discard() noexcept = 0;

 private:
  friend class ClientShard;

  // Brings a cancellation to the shard's executor.
  class CancelJob final : public Timer {
   public:
    explicit CancelJob(ClientCall& call);

   private:
    void fire() override { call_.cancelled(); }
    ClientCall& call_;
  };

  void fire() override;
  void drop() noexcept override;
  void on_output(CallId, std::string_view text) override {
    if (plan_.output) plan_.output(text);
  }
  void on_call_end(CallId id, Outcome&& outcome) override;
  void cancelled();
  void end(Outcome&& outcome, bool at_once);
  void disconnect();

  ClientShard& shard_;
  const Plan plan_;
  const Instant deadline_;
  Call* call_ = nullptr;  // while it is in the engine
  ClientCall* previous_ = nullptr;
  ClientCall* next_ = nullptr;
  CancelJob cancel_job_;
  std::mutex mutex_;  // of what follows
  bool cancel_asked_ = false;
  bool over_ = false;
};

}  // namespace brownout::detail
