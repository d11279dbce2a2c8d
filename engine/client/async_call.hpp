#pragma once

// A call whose end is told to an Asio completion handler. Included by client.hpp; not for use
// elsewhere.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/recycling_allocator.hpp>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "engine/client/client_shard.hpp"

namespace brownout::detail {

/// *Ownership*: its own, in memory from the handler's allocator, by default one that recycles on
/// threads that run Asio. *Threads*: as ClientCall; the handler is touched on its executor only.
template <class Handler>
class AsyncCall final : public ClientCall {
 public:
  static void start(ClientShard& shard, Plan&& plan, Handler&& handler) {
    auto slot = boost::asio::get_associated_cancellation_slot(handler);
    plan.cancellable = slot.is_connected();
    Allocator allocator = allocator_of(handler);
    AsyncCall* const call = Traits::allocate(allocator, 1);
    ::new (static_cast<void*>(call)) AsyncCall(shard, std::move(plan), std::move(handler));
    if (slot.is_connected()) slot.template emplace<Canceller>(Canceller{call});
    call->launch();
  }

 private:
  using Default = boost::asio::recycling_allocator<void>;
  using Allocator = typename std::allocator_traits<
      boost::asio::associated_allocator_t<Handler, Default>>::template rebind_alloc<AsyncCall>;
  using Traits = std::allocator_traits<Allocator>;
  using Executor = boost::asio::associated_executor_t<Handler, boost::asio::any_io_executor>;
  // An executor_work_guard, which does not know strands of any_io_executor.
  using Work = std::decay_t<decltype(boost::asio::prefer(
      std::declval<const Executor&>(), boost::asio::execution::outstanding_work.tracked))>;

  struct Canceller {
    AsyncCall* call;
    void operator()(boost::asio::cancellation_type_t type) const {
      if (type != boost::asio::cancellation_type::none) call->cancel();
    }
  };

  // On its way to the handler's executor; destroyed there without having run, it frees the call.
  class Delivery {
   public:
    explicit Delivery(AsyncCall* call) : call_(call) {}
    Delivery(Delivery&& other) noexcept : call_(std::exchange(other.call_, nullptr)) {}
    Delivery& operator=(Delivery&&) = delete;
    ~Delivery() {
      if (call_ != nullptr) call_->discard();
    }
    void operator()() { std::exchange(call_, nullptr)->complete(); }

   private:
    AsyncCall* call_;
  };

  AsyncCall(ClientShard& shard, Plan&& plan, Handler&& handler)
      : ClientCall(shard, std::move(plan)), handler_(std::move(handler)) {
    const Executor executor = executor_of_handler();
    if (is_shards(executor)) return;
    work_.emplace(boost::asio::prefer(executor, boost::asio::execution::outstanding_work.tracked));
  }

  static Allocator allocator_of(const Handler& handler) {
    return Allocator(boost::asio::get_associated_allocator(handler, Default()));
  }

  Executor executor_of_handler() {
    return boost::asio::get_associated_executor(handler_, shard().runtime().executor());
  }

  bool is_shards(const Executor& executor) {
    const boost::asio::any_io_executor& own = shard().runtime().executor();
    if constexpr (std::is_same_v<Executor, boost::asio::any_io_executor>) {
      return executor == own;
    } else {
      const Executor* const same = own.template target<Executor>();
      return same != nullptr && *same == executor;
    }
  }

  void deliver(Outcome&& outcome, bool at_once) override {
    outcome_ = std::move(outcome);
    if (work_) {
      const Executor executor = executor_of_handler();
      at_once ? boost::asio::dispatch(executor, Delivery(this))
              : boost::asio::post(executor, Delivery(this));
    } else if (at_once) {
      complete();
    } else {
      boost::asio::post(shard().runtime().executor(), Delivery(this));
    }
  }

  // The memory goes back first: what the handler begins can have it at once.
  void complete() {
    forget_slot();
    Handler handler(std::move(handler_));
    Outcome outcome(std::move(outcome_));
    const auto work = std::move(work_);
    free(allocator_of(handler));
    std::move(handler)(std::move(outcome));
  }

  void discard() noexcept override {
    forget_slot();
    // The handler may own whoever discards it; it goes last.
    const Handler handler(std::move(handler_));
    free(allocator_of(handler));
  }

  // A signal sent after the end must find nothing.
  void forget_slot() {
    auto slot = boost::asio::get_associated_cancellation_slot(handler_);
    if (slot.is_connected()) slot.clear();
  }

  void free(Allocator allocator) {
    this->~AsyncCall();
    Traits::deallocate(allocator, this, 1);
  }

  Handler handler_;
  Outcome outcome_;
  std::optional<Work> work_;  // the executor waits for us; none on the shard's, which does anyway
};

}  // namespace brownout::detail
