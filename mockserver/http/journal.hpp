#pragma once

// What the server has done: one line of JSON for every request, when it has ended.
// docs/reference/serve.md lists the members.

#include <array>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "engine/core/time.hpp"
#include "mockserver/http/correlator.hpp"
#include "mockserver/plan.hpp"

namespace brownout::mock::http {

/// How a reply ended.
enum class ClosedBy : std::uint8_t {
  nobody,        ///< the connection waits for the next request
  server,        ///< by FIN, because the plan or the request said so
  server_reset,  ///< by RST, because the plan said so
  client,        ///< before the end of the reply
  shutdown,      ///< the server ended before the reply did
};
std::string_view to_string(ClosedBy by);

/// What a bucket held, before a request was charged and after.
struct BucketLevels {
  std::int64_t limit = -1;  ///< -1: there is no such bucket
  std::int64_t before = 0;
  std::int64_t after = 0;
};

/// Everything there is to tell of one request. Durations count from its arrival, in scenario time;
/// `lateness` is real.
struct JournalEntry {
  std::uint64_t number = 0;  ///< of the request within its session, from 1
  Instant arrived{};
  std::string_view phase;
  std::string_view test;
  std::string method;
  std::string path;
  std::string model;  ///< as the request named it
  bool stream = false;
  bool is_call = false;  ///< it reached the script: what follows has meaning
  Correlator::Attempt attempt;
  std::uint32_t input_tokens = 0;
  std::uint32_t max_tokens = 0;

  OutcomeKind outcome = OutcomeKind::success;
  std::uint16_t status = 0;
  std::string fault;                    ///< the one that decided it; empty: none
  bool injected = false;                ///< a fault of the admin API decided it
  WireFault wire{};                     ///< what happens to the reply on its way
  std::optional<std::int64_t> draw;     ///< for faults, in billionths
  LimitHit hit;                         ///< the limit that refused it
  std::array<BucketLevels, 4> buckets;  ///< requests, tokens, input_tokens, output_tokens
  std::optional<Duration> retry_after;  ///< told, in scenario time
  std::optional<Duration> queued;       ///< how long it waited for a slot
  std::uint32_t output_tokens = 0;      ///< of the whole reply
  std::uint32_t delivered_tokens = 0;   ///< that were sent

  std::uint64_t bytes = 0;
  std::uint32_t pieces = 0;
  Duration first_scheduled{};  ///< bytes; meaningful when pieces > 0
  Duration first_sent{};
  Duration last_scheduled{};
  Duration last_sent{};
  Duration lateness{};  ///< the most that a piece was behind its time
  Duration ended{};
  ClosedBy closed_by = ClosedBy::nobody;
};

/// The entry as one line of JSON, with its newline, appended to `out`.
void append_line(const JournalEntry& entry, std::string& out);

/// Text as a JSON string, quotes included, appended to `out`. Bytes that are not UTF-8 become
/// U+FFFD.
void append_json(std::string_view text, std::string& out);

/// So much is told of a path or a model that clients may make as long as they like.
inline constexpr std::size_t most_told = 512;

/// The latest lines of one session.
class Journal {
 public:
  explicit Journal(std::size_t most_kept) : most_kept_(most_kept) {}

  void add(std::string line);
  void clear() { lines_.clear(); }
  const std::deque<std::string>& lines() const { return lines_; }

 private:
  std::size_t most_kept_;
  std::deque<std::string> lines_;
};

}  // namespace brownout::mock::http
