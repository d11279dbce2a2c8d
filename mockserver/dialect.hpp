#pragma once

// How each provider family says things on the wire, as data. Values seen in captured responses and
// vendor documentation; where none is known (daily limits at Anthropic) the row follows its
// neighbours.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/outcome.hpp"
#include "mockserver/bucket.hpp"

namespace brownout::mock {

enum class DialectId : std::uint8_t { openai = 0, anthropic = 1 };

std::string_view to_string(DialectId id);
/// The spellings to_string() gives, indexed by DialectId.
const std::vector<std::string_view>& dialect_names();

/// Which limit of a model refused a request.
enum class LimitKind : std::uint8_t {
  none = 0,
  requests = 1,       ///< rpm
  tokens = 2,         ///< tpm: input and output
  input_tokens = 3,   ///< itpm
  output_tokens = 4,  ///< otpm
  concurrency = 5,    ///< no free slot, and no place in the queue
};

struct LimitHit {
  LimitKind limit = LimitKind::none;
  Refusal refusal{};  ///< meaningful for the limits that are buckets
};

/// What one kind of outcome looks like. Empty texts are absent (JSON null) on the wire.
struct ErrorShape {
  std::uint16_t status = 0;  ///< HTTP status; 0: the connection breaks instead
  std::string_view type{};
  std::string_view code{};     ///< OpenAI `code`, Anthropic `details.error_code`
  std::string_view param{};    ///< OpenAI only
  std::string_view message{};  ///< with placeholders in braces: see error_message()
  bool sends_wait = false;     ///< a limiter's wait goes along as retry-after
};

/// How a family of providers accounts for requests.
struct Accounting {
  /// Reserve max(input, max_tokens) tokens against tpm on arrival, never settled; otherwise input
  /// tokens count against itpm on arrival, and output against otpm once the request has ended.
  bool reserves_max_tokens = false;
  /// A request that its token limit refuses has used up a request of rpm all the same.
  bool refused_requests_count = false;
  /// Grain of the retry-after that answers tell; waits are rounded up to it.
  Duration retry_after_grain{};
};

const Accounting& accounting(DialectId id);

/// The shape of `kind`; for limits also by which limit it was. Success is 200 without texts.
ErrorShape error_shape(DialectId id, OutcomeKind kind, LimitKind limit = LimitKind::none);

/// What the placeholders of a message stand for.
struct ErrorFacts {
  std::string_view model;
  OutcomeKind kind = OutcomeKind::server_error;
  LimitHit hit;                         ///< without a limit the message leaves the numbers out
  std::uint16_t status = 0;             ///< of the bad_gateway page; 0 means the kind's own
  std::uint32_t input_tokens = 0;       ///< for context_length
  std::optional<Duration> retry_after;  ///< for a scripted rate limit, which has no bucket
};

/// The `message` (for bad_gateway the HTML page) a provider sends. Waits are rounded up to
/// milliseconds, as the captured ones are.
std::string error_message(DialectId id, const ErrorFacts& facts);
/// The same for a shape that is not of the dialect's own table.
std::string error_message(DialectId id, const ErrorShape& shape, const ErrorFacts& facts);

/// As Go's time.Duration prints itself, which is what these providers send: "0s", "644ms",
/// "9.816s", "6m0s", "24h0m0s". Unlike format_duration() it keeps trailing zero units.
std::string go_duration(Duration duration);

}  // namespace brownout::mock
