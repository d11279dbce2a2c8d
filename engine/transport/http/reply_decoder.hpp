#pragma once

// From the bytes of an answer to what the caller gets of it and how the attempt ended.

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/core/outcome.hpp"
#include "engine/core/time.hpp"
#include "engine/policy/server_hint.hpp"
#include "engine/transport/http/dialect.hpp"
#include "engine/transport/http/sse.hpp"

namespace brownout::http {

/// What a reply has told so far.
struct Reading {
  std::string text;                 ///< all of it
  std::string_view piece;           ///< what the event that was read last adds to it
  std::uint32_t input_tokens = 0;   ///< as billed
  std::uint32_t output_tokens = 0;  ///< as billed
  std::uint32_t pieces = 0;         ///< of output that came, each at least a token
  bool usage_told = false;          ///< output_tokens is the provider's own number, not a beginning
  bool generating = false;          ///< the model has begun: its input is billed
  bool finished = false;            ///< it said why it ends
  bool filtered = false;            ///< it ends because a content filter said so
};

/// What an event of a stream was.
enum class EventMeaning : std::uint8_t {
  nothing,    ///< no news
  progress,   ///< output that is no text: an argument of a tool call, a thought
  text,       ///< Reading::piece
  complete,   ///< nothing follows that matters
  error,      ///< the provider says that it failed
  malformed,  ///< not what this dialect says
};

/// Reads an answer as it comes. Pure: the time is told.
///
/// A success is a 2xx whose body is labelled as what it is and says why the reply ends. For a
/// stream of OpenAI that is a finish_reason ([DONE] adds nothing), for one of Anthropic
/// message_stop. A reply that ends because of a content filter is a content_policy failure.
/// Everything else is in docs/reference/outcomes.md.
///
/// Billed tokens are the provider's own numbers. When it did not come to telling them: the input,
/// as far as the request knows it, once the model has begun, and a token for each piece of output.
///
/// *Threads*: one.
class ReplyDecoder {
 public:
  struct Options {
    Dialect dialect = Dialect::openai;
    bool stream = false;
    std::size_t most_line_bytes = 0;  ///< of a stream
    std::uint32_t input_tokens = 0;   ///< of the request, where its provider does not tell
  };
  explicit ReplyDecoder(const Options& options);

  /// The status line and the headers. `now`: calendar time, for dates in them.
  void on_head(std::uint16_t status, std::span<const HeaderView> headers, SystemTime now);

  /// The next bytes of the body. Requires: next() has said `more`.
  void feed(std::string_view bytes);

  enum class Step : std::uint8_t {
    more,      ///< feed() or an end is needed
    text,      ///< a piece of text, valid until the next call
    progress,  ///< output without text
    over,      ///< outcome() is known, whatever else the body may hold
  };
  Step next(std::string_view& text);

  /// The body is complete.
  void on_complete();

  /// The connection has ended before that.
  void on_broken();

  /// What came is not HTTP, or more than is allowed.
  void on_garbage();

  /// A success is certain: what may follow is accounting.
  bool finished() const { return reading_.finished && may_end_here(); }

  /// How the attempt ended. Requires: `over`, an end, or finished().
  Outcome outcome();

  /// What an attempt that is given up has cost, as this failure.
  Outcome cut(OutcomeKind kind) const;

 private:
  bool may_end_here() const;
  bool is_success_status() const { return status_ >= 200 && status_ < 300; }
  void read_whole();
  void read_event(const SseEvent& event);
  void fail(OutcomeKind kind);
  void fail_with_error(std::string_view body, const nlohmann::json* json, bool html);
  void add_bill(Outcome& outcome) const;

  const Options options_;
  SseParser events_;
  Reading reading_;
  bool as_events_ = false;  // the body is a stream of events
  bool json_ = false;       // the body is labelled as JSON
  bool html_ = false;
  bool any_event_ = false;
  bool over_ = false;
  bool failed_ = false;
  Step step_ = Step::more;
  std::uint16_t status_ = 0;
  std::string body_;                                          // when it is read whole
  std::vector<std::pair<std::string, std::string>> headers_;  // of an error
  SystemTime now_{};
  Outcome failure_;
  RateLimits limits_;
};

// By dialect; in openai_reply.cpp and anthropic_reply.cpp.

/// Reads a reply that is not streamed; false when it is none.
bool read_openai_reply(const nlohmann::json& body, Reading& reading);
bool read_anthropic_reply(const nlohmann::json& body, Reading& reading);

EventMeaning read_openai_event(const SseEvent& event, nlohmann::json& json, Reading& reading);
EventMeaning read_anthropic_event(const SseEvent& event, nlohmann::json& json, Reading& reading);

/// A number of tokens; 0 for what is none.
std::uint32_t token_count(const nlohmann::json& object, const char* member);

}  // namespace brownout::http
