#pragma once

// What can go wrong between a provider and its client that no error message tells: one vocabulary
// for scenario files, for the simulator (what a correct client makes of it, and when) and for a
// server (which bytes it sends). docs/reference/scenarios.md has the table.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/time.hpp"

namespace brownout::mock {

/// A correct client sees in a *plain* reply (one that is not streamed) and in a *stream*:
enum class WireWord : std::uint8_t {
  none = 0,
  refuse = 1,              ///< the connection is refused: `connection`
  reset = 2,               ///< RST: `connection`; a stream that has begun: `stream_truncated`
  close = 3,               ///< FIN before the reply is complete: like `reset`
  hang = 4,                ///< accepted, never answered: `timed_out`
  stall = 5,               ///< begins, then nothing more comes: `timed_out`
  garbage = 6,             ///< bytes that are not HTTP: `malformed_reply`
  html = 7,                ///< 200 with a proxy's page: `malformed_reply`
  empty_body = 8,          ///< 200 without a body, or a stream without a frame: `malformed_reply`
  wrong_content_type = 9,  ///< 200 with a body that is labelled as another: `malformed_reply`
  invalid_json = 10,       ///< broken JSON in the body, or in a frame: `malformed_reply`
  short_body = 11,         ///< plain: less than content-length says, then FIN: `connection`
  half_frame = 12,         ///< stream: ends in the middle of a frame: `stream_truncated`
  missing_finish = 13,     ///< stream: ends without saying why: `stream_truncated`
  missing_done = 14,       ///< stream: lacks its last frame: see finishes_without_done()
  duplicate_frame = 15,    ///< stream: one frame comes twice: success
  sliced = 16,             ///< bytes come in small slices, cut inside characters: success
  slow_bytes = 17,         ///< bytes come one after the other in the reply's time: success
  crlf = 18,               ///< stream: lines end in CR LF: success
  comments = 19,           ///< stream: comment lines, single and double, among frames: success
  unknown_event = 20,      ///< stream: a frame of a kind that no client knows: success
};
inline constexpr std::size_t wire_word_count = 21;

/// "refuse", "reset" and so on, as files spell it.
std::string_view to_string(WireWord word);
/// Those spellings without `none`: the word of index i is WireWord(i + 1).
const std::vector<std::string_view>& wire_words();

/// Where in the course of a reply something happens.
struct WirePoint {
  enum class Place : std::uint8_t {
    before_accept = 0,
    after_accept = 1,    ///< before the request is read: no model has worked
    before_headers = 2,  ///< instead of the headers, when they would come
    after_headers = 3,   ///< before the first byte of the body
    /// Once `amount` frames with output have left, where the next would come. A plain reply has not
    /// begun then: it is the moment at which the model has generated so many tokens.
    frames = 4,
    bytes = 5,        ///< once `amount` bytes of the output's text have left
    time = 6,         ///< `amount` nanoseconds after the reply has begun to be made
    final_frame = 7,  ///< instead of the frame that says why the reply ends; of a plain reply,
                      ///< instead of its headers
  };
  Place place = Place::before_headers;
  std::int64_t amount = 0;

  /// "before_headers", "frames 3", "time 500ms".
  std::string to_string() const;
  bool operator==(const WirePoint&) const = default;
};
inline constexpr std::size_t wire_place_count = 8;

/// The spellings of places, indexed by Place. Frames, bytes and time take an amount.
const std::vector<std::string_view>& wire_places();
bool takes_amount(WirePoint::Place place);

/// What a word allows.
struct WireRule {
  std::uint8_t places = 0;            ///< bit per Place; 0: it concerns the whole reply
  std::optional<WirePoint> standard;  ///< where it happens when a file does not say
  bool plain = true;                  ///< can happen to replies that are not streamed
  bool stream = true;                 ///< can happen to streams

  bool allows(WirePoint::Place place) const {
    return (places >> static_cast<unsigned>(place) & 1U) != 0;
  }
};
/// Requires: word != none.
const WireRule& wire_rule(WireWord word);

/// Whether the word, happening there, stands in the place of a reply, so that no model works on it;
/// otherwise it happens to a reply that is generated and billed.
bool replaces_reply(WireWord word, const WirePoint& point);

struct Plan;
enum class DialectId : std::uint8_t;

/// Whether a stream of this dialect is complete once a frame has said why it ends: "[DONE]" adds
/// nothing to a finish_reason, but there is no other sign than message_stop.
bool finishes_without_done(DialectId dialect);

/// When the headers of a generated reply leave: with its first token, or with its whole body.
Duration headers_leave(const Plan& plan);

/// Whether a generated reply's headers have left when the point comes.
bool has_begun(const WirePoint& point, const Plan& plan);

/// Changes the plan of a successful reply into that of one which the word has happened to. False,
/// and nothing is changed, when it cannot happen: a stream's word to a plain reply, or a point that
/// the reply does not reach. Requires: !replaces_reply(word, point); plan.kind is success.
bool happen(WireWord word, const WirePoint& point, DialectId dialect, Plan& plan);

/// Ends the reply at the point, nothing else: what is delivered, and when it ends. False when the
/// reply does not reach the point, or has no such point.
bool end_at(const WirePoint& point, Plan& plan);

}  // namespace brownout::mock
