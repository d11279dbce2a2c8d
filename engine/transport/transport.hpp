#pragma once

// One attempt against one provider. Production implements it over HTTP, the simulator in-process.

#include <cstdint>
#include <string_view>

#include "engine/core/request.hpp"
#include "engine/core/time.hpp"

namespace brownout {

/// A model at a provider, as a transport numbers them.
using TargetId = std::uint16_t;

/// What a route that only branches leads to.
inline constexpr TargetId no_target = 0xFFFF;

/// How long an attempt may take. The transport honours these: policies only narrow them on the way
/// down, so a timeout costs no timer of its own and every layer above sees an ordinary timed_out.
struct Limits {
  Instant end = never;             ///< the attempt must be complete by then
  Duration first_token = forever;  ///< of a stream: from the attempt's start to its first output
  Duration idle = forever;         ///< between two pieces of output of a stream
  Duration connect = forever;      ///< from the attempt's start to an established connection
  std::uint32_t max_tokens = 0;    ///< cap on the output in place of the request's; 0 = as asked

  /// Whether the listener hears of the first output of a stream. What nobody asks for costs
  /// nothing.
  bool tell_first_output = false;

  /// Whether output is kept until the reply is complete, so that the caller has seen none of it
  /// when an attempt fails: the attempt is then never `committed`. Ignored by what is not streamed.
  bool hold_output = false;
};

/// The cap on the output that holds under these limits; 0 = the model's own.
inline std::uint32_t output_cap(const Request& request, const Limits& limits) {
  return limits.max_tokens != 0 ? limits.max_tokens : request.max_tokens;
}

struct Attempt {
  CallId call = 0;
  std::uint32_t nth_at_target = 0;  ///< 0 for the call's first attempt at this target
  TargetId target = 0;
  const Request* request = nullptr;  ///< outlives the attempt
  Limits limits;
};

/// Learns what an attempt brings and how it ended. It may detach the attempt, or destroy itself, in
/// any of these: a transport that has called one looks whether the attempt is still there.
class AttemptListener {
 public:
  /// The first output of a stream is about to reach the caller. Called at most once, before on_end
  /// and never from inside start(), if the limits ask for it. The attempt goes on.
  virtual void on_first_output() {}

  /// A piece of a stream's text, which is the caller's from here on. In order and each once, so
  /// that all pieces of a success are its reply's text. Called between on_first_output, where the
  /// limits ask for that, and on_end, never from inside start(); only for requests that are
  /// streamed, under limits that do not hold output. `text` is not empty, holds whole characters
  /// and is gone when this returns. A transport that knows only sizes never calls it.
  virtual void on_output(std::string_view /*text*/) {}

  /// Called at most once, never from inside start(). `outcome.committed` says whether a streaming
  /// caller had been handed output by then.
  virtual void on_end(Outcome&& outcome) = 0;

 protected:
  ~AttemptListener() = default;
};

/// *Threads*: start, detach and the listener run on the runtime's thread or strand.
class Transport {
 public:
  /// Names an attempt between start() and its end.
  enum class Handle : std::uint64_t {};

  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;

  virtual Handle start(const Attempt& attempt, AttemptListener& listener) = 0;

  /// Gives up on an attempt that has not ended. When this returns, its listener will not be called;
  /// the provider learns of it as fast as the wire allows. Returns what the provider will bill for
  /// it as far as that is known, as a `cancelled` outcome.
  virtual Outcome detach(Handle handle) = 0;
};

}  // namespace brownout
