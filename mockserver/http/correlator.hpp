#pragma once

// Which requests are tries of one and the same call. Over HTTP nobody says so outright; what
// clients send decides, the surest sign first:
//
//   1. `x-brownout-call: N`: the client's own number of the call (or any other text), with
//      `x-brownout-attempt: n` (from 1) if it likes, else counted.
//   2. `x-stainless-retry-count: n`, which the SDKs of OpenAI and Anthropic send: 0 begins a call,
//      more is the next try of the latest call with the same key, path and body.
//   3. Neither: a request with the key, path and body of a call whose last try failed is the next
//      try of it, unless it comes more than `content_window` after that try has ended, or after the
//      wait that the client was told is over; else it begins a call. This is a guess: a client
//      that asks the same thing again is taken for one that retries, until it succeeds.
//
// A call's number is a hash of its key, path and body and of how many such calls came before it.
// So it depends neither on connections nor on what other calls do, nor does what is drawn by it.

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/core/outcome.hpp"
#include "engine/core/request.hpp"
#include "engine/core/time.hpp"
#include "mockserver/plan.hpp"

namespace brownout::mock::http {

enum class CorrelatedBy : std::uint8_t { call_header, retry_count, content };
std::string_view to_string(CorrelatedBy by);

/// How long content alone tells that a request is a retry. Of scenario time, as far as clients keep
/// pace with it: their own backoff does not run faster with `--speed`, so there it is of real time.
inline constexpr Duration content_window = std::chrono::minutes{1};

/// What there is to see of a request's identity.
struct Identity {
  std::string_view call;         ///< x-brownout-call
  std::string_view attempt;      ///< x-brownout-attempt
  std::string_view retry_count;  ///< x-stainless-retry-count
  std::string_view credential;
  std::string_view path;
  std::string_view body;
};

/// One try, as the server saw it. Instants are by a clock that nobody moves: their differences
/// last.
struct ServedAttempt {
  ModelId model = 0;
  std::size_t phase = 0;  ///< in which it arrived
  OutcomeKind outcome = OutcomeKind::success;
  Instant arrived{};
  Instant ended = never;  ///< never: it is not over, or the server ended before it
  Instant first_output = never;
  std::optional<Duration> retry_after{};  ///< what the client was told, in scenario time
  std::uint32_t input_tokens = 0;         ///< billed
  std::uint32_t output_tokens = 0;        ///< billed
  bool client_left = false;               ///< before the end of the reply
};

/// One call, as the server saw it.
struct ServedCall {
  CallId id = 0;
  std::uint32_t first_number = 1;  ///< the number of its first try that was seen
  std::vector<ServedAttempt> attempts{};
};

/// Something a client did that it had better not.
enum class Finding : std::uint8_t {
  retried_non_retryable,  ///< tried again what fails again
  came_back_early,        ///< before the end of retry-after
  accepted_truncated,     ///< never came back after a stream that was cut
};
inline constexpr std::size_t finding_count = 3;
std::string_view to_string(Finding finding);

/// *Threads*: none of its own; one at a time. Memory is bounded: of more keys, paths and bodies
/// than it is told to know, more unfinished calls with one of them than `most_open`, and more tries
/// of a call than `most_tries`, the oldest are taken for over.
class Correlator {
 public:
  static constexpr std::size_t most_open = 1'000;
  static constexpr std::size_t most_tries = 1'000;

  /// `done` is told of every call that is over: after a success at once, else when it can no longer
  /// be tried again, which is known at finish().
  explicit Correlator(std::function<void(const ServedCall&)> done,
                      std::size_t most_known = 1'000'000, Duration window = content_window)
      : done_(std::move(done)), most_known_(most_known), window_(window) {}

  struct Attempt {
    CallId call = 0;
    std::uint32_t number = 1;  ///< from 1
    std::uint32_t nth = 0;     ///< of the call's tries at this model, from 0
    CorrelatedBy by = CorrelatedBy::content;
    std::uint64_t key = 0;  ///< for ended()
    std::size_t index = 0;  ///< for ended()
    std::optional<Finding> finding{};
  };

  /// A try arrives. `now` never goes back.
  Attempt arrive(const Identity& identity, ModelId model, Instant now, std::size_t phase = 0);
  /// It is over. `served.ended` is set.
  void ended(const Attempt& attempt, const ServedAttempt& served);

  /// No call will be tried again: tells `done` of all that are not over.
  void finish();

  std::uint64_t calls() const { return calls_; }
  std::uint64_t attempts() const { return attempts_; }
  /// How many of the attempts were taken for retries by their content alone.
  std::uint64_t guessed() const { return guessed_; }
  std::uint64_t count(Finding finding) const { return found_[static_cast<std::size_t>(finding)]; }
  /// How many calls would be findings if their clients never came back.
  std::uint64_t truncated_waiting() const;

 private:
  // All calls of one key, path and body.
  struct Group {
    std::uint64_t begun = 0;       // calls so far
    std::vector<ServedCall> open;  // not over: under way, or failed
  };

  Attempt begin(Group& group, std::uint64_t key, CallId id, std::uint32_t number, CorrelatedBy by);
  Attempt again(ServedCall& call, std::uint64_t key, std::uint32_t number, CorrelatedBy by,
                Instant now);
  std::optional<Finding> judge(const ServedCall& call, Instant now);
  bool may_go_on(const ServedCall& call, Instant now) const;
  Group& group_of(std::uint64_t key);
  void make_room(Group& group);
  void close(const ServedCall& call);

  std::function<void(const ServedCall&)> done_;
  std::size_t most_known_;
  Duration window_;
  std::unordered_map<std::uint64_t, Group> groups_;
  std::deque<std::uint64_t> order_;  // of groups_, the oldest first
  std::uint64_t calls_ = 0;
  std::uint64_t attempts_ = 0;
  std::uint64_t guessed_ = 0;
  std::array<std::uint64_t, finding_count> found_{};
};

}  // namespace brownout::mock::http
