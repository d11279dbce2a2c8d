#pragma once

// Waiting in virtual time, for coroutines and for every other completion token.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/append.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/error_code.hpp>
#include <type_traits>
#include <utility>

#include "sim/kernel/context.hpp"

namespace brownout::sim {

inline constexpr JobName coroutine_wait{"wait"};

namespace detail {

/// A pending wait; owns itself and its handler.
template <class Handler>
class Wait final : public Timer {
 public:
  static void start(Context& context, Instant at, const JobName& name, Handler&& handler) {
    void* const memory = context.pool().allocate<Wait>();
    Wait* const wait = ::new (memory) Wait(context, name, std::move(handler));
    context.arm(*wait, at);
    auto slot = boost::asio::get_associated_cancellation_slot(wait->handler_);
    if (slot.is_connected()) slot.template emplace<Canceller>(wait);
  }

 private:
  struct Canceller {
    Wait* wait;
    explicit Canceller(Wait* cancelled) : wait(cancelled) {}
    void operator()(boost::asio::cancellation_type_t type) const {
      if (type != boost::asio::cancellation_type::none) wait->cancel();
    }
  };

  Wait(Context& context, const JobName& name, Handler&& handler)
      : Timer(name), context_(context), handler_(std::move(handler)) {}

  // The completion is an event of its own, like every other: never inside the cancelling call.
  void cancel() {
    if (cancelled_) return;
    cancelled_ = true;
    context_.disarm(*this);
    context_.arm(*this, context_.now());
  }

  void fire() override {
    forget_slot();
    Context& context = context_;
    const boost::system::error_code result =
        cancelled_ ? boost::system::error_code(boost::asio::error::operation_aborted)
                   : boost::system::error_code();
    Handler handler(std::move(handler_));
    free();
    complete(context, handler, result);
  }

  void drop() noexcept override {
    forget_slot();
    free();
  }

  // A signal sent after the wait has ended must find nothing.
  void forget_slot() {
    auto slot = boost::asio::get_associated_cancellation_slot(handler_);
    if (slot.is_connected()) slot.clear();
  }

  void free() {
    Context& context = context_;
    this->~Wait();
    context.pool().template deallocate<Wait>(this);
  }

  // An event of this context is where handlers of its executor belong, so they are called at once;
  // those of a strand or a foreign executor go through it.
  static void complete(Context& context, Handler& handler,
                       const boost::system::error_code& result) {
    const auto executor = boost::asio::get_associated_executor(handler, context.get_executor());
    if (belongs_to(context, executor)) {
      std::move(handler)(result);
    } else {
      boost::asio::dispatch(executor, boost::asio::append(std::move(handler), result));
    }
  }

  template <class Executor>
  static bool belongs_to(const Context& context, const Executor& executor) {
    if constexpr (std::is_same_v<Executor, Context::Executor>) {
      return &executor.context() == &context;
    } else if constexpr (std::is_same_v<Executor, boost::asio::any_io_executor>) {
      const auto* own = executor.template target<Context::Executor>();
      return own != nullptr && &own->context() == &context;
    } else {
      return false;
    }
  }

  Context& context_;
  Handler handler_;
  bool cancelled_ = false;
};

}  // namespace detail

/// Completes with `void(error_code)` once `at` has come; an instant that has passed means as soon
/// as possible, after everything already due. Never completes inside this call. Cancelled through
/// the token's cancellation slot, it completes with operation_aborted at the current instant.
/// `name`, a static constant, is what diagnoses and the schedule digest call the wait.
///
///     co_await async_wait_until(context, after(context.now(), 3s));
///
/// Prefer the default token in coroutines: unlike use_awaitable it needs no frame of its own.
template <class Token = boost::asio::deferred_t>
auto async_wait_until(Context& context, Instant at, const JobName& name, Token&& token = Token{}) {
  return boost::asio::async_initiate<Token, void(boost::system::error_code)>(
      [](auto handler, Context* where, Instant when, const JobName* what) {
        detail::Wait<decltype(handler)>::start(*where, when, *what, std::move(handler));
      },
      token, &context, at, &name);
}

/// The same under the name "wait".
template <class Token = boost::asio::deferred_t>
auto async_wait_until(Context& context, Instant at, Token&& token = Token{}) {
  return async_wait_until(context, at, coroutine_wait, std::forward<Token>(token));
}

}  // namespace brownout::sim
