#pragma once

// From a provider's plan to the bytes a client receives, and when. Pure: no socket, no clock, no
// draws. A server plays what it gets from here; a test reads it.
//
// What it takes to be believed is data: bodies, header names and frames of each endpoint are tables
// (forms_*.cpp, headers.cpp, dialect.cpp), and a fault on the wire is one transformation for all of
// them (see WireWord).
//
// A completion is made of tokens of exactly `token_bytes` bytes of UTF-8, from a fixed list in
// which characters of one to four bytes occur: the text of n tokens has n * token_bytes bytes, and
// it is the same for equal `id_seed`.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/core/time.hpp"
#include "mockserver/plan.hpp"

namespace brownout::mock::wire {

/// What a request was sent to, which decides the form of every answer to it.
enum class Endpoint : std::uint8_t {
  openai_chat = 0,         ///< POST …/chat/completions
  openai_responses = 1,    ///< POST …/responses
  anthropic_messages = 2,  ///< POST …/messages
  azure_chat = 3,          ///< POST …/openai/deployments/NAME/chat/completions
  gemini_generate = 4,     ///< POST …/models/NAME:generateContent, :streamGenerateContent
  models = 5,              ///< GET …/models
};
inline constexpr std::size_t endpoint_count = 6;

/// What of a request its reply depends on, beside the plan.
struct RequestFacts {
  Endpoint endpoint = Endpoint::openai_chat;
  std::string model;             ///< as the request named it; told back
  bool include_usage = false;    ///< openai: `stream_options.include_usage`
  std::uint32_t max_tokens = 0;  ///< a reply of so many tokens says that it was cut short; 0: none
  std::uint32_t input_tokens = 0;
  std::vector<std::string> tools;  ///< names of the functions on offer
  bool tool_required = false;      ///< `tool_choice` asks for a call; else one reply in four is one
  /// Decides ids, which text, and whether a tool is called. Equal seeds give equal bytes.
  std::uint64_t id_seed = 0;
  bool keep_alive = true;  ///< the client wants the connection to stay
  bool chunked = true;     ///< the client understands chunks: it speaks HTTP/1.1
};

/// What the reply depends on that neither request nor plan knows.
struct Occasion {
  SystemTime now{};  ///< calendar time of the plan's start: dates, `created`, RFC 3339 resets
  /// By how much scenario time is compressed: durations that are *told* (retry-after, resets, waits
  /// in messages) are divided by it. Times of pieces are not: whoever plays them does that.
  double speed = 1;
  /// Says this instead of the outcome's own message: for a request that the server itself refuses.
  std::string message;
};

/// Bytes that leave in one write.
struct Piece {
  Duration at{};  ///< from the plan's start, in scenario time; never before the last piece's
  std::string bytes;
  std::uint32_t output_tokens = 0;  ///< how many are complete once this has left
};

/// What becomes of the connection at `WireReply::ends`.
enum class Ending : std::uint8_t {
  keep_alive,  ///< the next request may come
  close,       ///< FIN
  reset,       ///< RST
  hang,        ///< nothing more is sent; it is the client that leaves
};

using Header = std::pair<std::string_view, std::string>;

/// One reply. Made whole, told piece by piece: a reply of 4,000 tokens costs no more memory than
/// one of 4.
///
/// Pieces hold everything that goes over the connection: status line, headers, and the body in its
/// transfer coding. A reply that sends nothing (a connection that breaks or hangs before its
/// headers) has no piece.
///
/// *Ownership*: a value; refers to nothing. *Threads*: none of its own.
class WireReply {
 public:
  class Source;
  explicit WireReply(std::unique_ptr<Source> source);
  WireReply(WireReply&&) noexcept;
  WireReply& operator=(WireReply&&) noexcept;
  ~WireReply();

  /// The next piece, into `piece` (whose memory is used again). False when there is none.
  bool next(Piece& piece);

  void set_source(std::unique_ptr<Source> source);

  std::uint16_t status = 0;  ///< 0: no HTTP answer is sent
  /// As sent, in order, names in lower case; without those of the transfer (content-length,
  /// transfer-encoding, connection, date).
  std::vector<Header> headers;
  Ending ending = Ending::keep_alive;
  Duration ends{};  ///< not before the last piece; `forever` for a hang
  /// Where a reply without pieces breaks: before its connection is accepted, before the request is
  /// read, or instead of the headers.
  WirePoint::Place place = WirePoint::Place::before_headers;

 private:
  std::unique_ptr<Source> source_;
};

/// The reply to `request` that plays `plan`.
WireReply encode(const RequestFacts& request, const Plan& plan, const Occasion& occasion);

/// The list of models, in the form of OpenAI or (`endpoint` anthropic_messages) of Anthropic.
WireReply encode_models(Endpoint endpoint, const std::vector<std::string>& names,
                        const RequestFacts& request, const Occasion& occasion);

/// What a path and method address.
struct Target {
  Endpoint endpoint = Endpoint::openai_chat;
  std::string_view model;  ///< of the path (azure, gemini); empty where the body has it
  bool stream = false;     ///< gemini says it in the path
};

/// Reads a request's target: method and path without its query. Prefixes before the part that
/// counts are ignored, so that any base URL works. False when nothing is served there.
bool find_target(std::string_view method, std::string_view path, Target& target);

}  // namespace brownout::mock::wire
