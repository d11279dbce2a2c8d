#pragma once

// Any asynchronous function as a transport: for programs with an HTTP client of their own.
//
//     FunctionTransport transport(runtime, targets, [&](const Attempt& attempt,
//                                                       std::string_view target,
//                                                       FunctionTransport::Completion done) {
//       const auto ticket = http.post(url_of(target), *attempt.request->body,
//                                     [done](const Response& response) { done(read(response)); });
//       done.on_cancel([ticket] { ticket->cancel(); });
//     });

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/runtime/runtime.hpp"
#include "engine/transport/transport.hpp"

namespace brownout {

/// Asks a function, and sees to it that it is not waited for beyond the limits.
///
/// Limits::end, and for streams first_token and idle as far as the function reports output, end an
/// attempt as `timed_out` and cancel it; `connect` is the function's own to honour. What was billed
/// for an attempt that was cut is not known, so nothing is.
///
/// *Ownership*: refers to the runtime. A Completion may outlive everything. *Threads*: those of the
/// runtime, Completion excepted. *Determinism*: as the function; no draws.
class FunctionTransport final : public Transport {
 public:
  /// How the function tells of an attempt. Copies stand for the same attempt. When the last is gone
  /// and none was called, the attempt ends as a `connection` failure.
  ///
  /// *Threads*: any, on_cancel() excepted. After the attempt's end, whoever brought it about, calls
  /// have no effect.
  class Completion {
   public:
    Completion(const Completion& other);
    Completion(Completion&& other) noexcept = default;
    Completion& operator=(Completion other) noexcept;
    ~Completion();

    /// The attempt has ended; `outcome.committed` is filled in here.
    void operator()(Outcome outcome) const;

    /// A piece of a stream's output has come. Its text, if there is any, goes to the call's
    /// listener, unless the policy holds output; pieces that come faster than the runtime's thread
    /// looks are told as one. Ignored for requests that are not streamed. The outcome's reply
    /// should have the whole text all the same.
    void output(std::string_view text = {}) const;

    /// What to do when the engine no longer wants the attempt: on the runtime's thread, at most
    /// once, and not after the attempt has ended otherwise. The provider should learn of it;
    /// nobody waits for that. *Threads*: the runtime's, before the attempt has ended.
    void on_cancel(std::function<void()> cancel) const;

   private:
    friend class FunctionTransport;
    class Flight;
    explicit Completion(std::shared_ptr<Flight> flight);

    std::shared_ptr<Flight> flight_;
  };

  /// Begins an attempt at the provider and model called `target`. `attempt.request` stays until the
  /// attempt has ended; for longer, copy what is needed of it. What it throws is a `connection`
  /// failure.
  using Function =
      std::function<void(const Attempt& attempt, std::string_view target, Completion done)>;

  /// `targets[i]` is the name of target i.
  FunctionTransport(Runtime& runtime, std::vector<std::string> targets, Function function);

  /// Attempts that have not ended are cancelled; their listeners hear nothing.
  ~FunctionTransport() override;

  Handle start(const Attempt& attempt, AttemptListener& listener) override;
  Outcome detach(Handle handle) override;

  std::size_t in_flight() const { return in_flight_; }

 private:
  using Flight = Completion::Flight;

  Runtime& runtime_;
  const std::vector<std::string> targets_;
  const Function function_;
  Flight* first_ = nullptr;  // of the attempts that have not ended, in no order
  std::size_t in_flight_ = 0;
};

}  // namespace brownout
