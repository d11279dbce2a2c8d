#pragma once

// Attempts as a test writes them down, what becomes of them, and what holds of all of them.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/outcome.hpp"
#include "engine/transport/transport.hpp"
#include "mockserver/script.hpp"
#include "tests/conformance/transport/stage.hpp"

namespace brownout::testing {

/// When an attempt is given up.
struct Detached {
  enum class When : std::uint8_t {
    never,
    at,               ///< `after` its beginning; 0: in the same turn
    on_first_output,  ///< from inside that
  };
  When when = When::never;
  Duration after{};
};

/// One attempt, and the script of the model that it asks, which is its own: the first token after
/// 100 ms and then one every 10 ms, errors after 50 ms, 100 tokens of input and 11 of output.
struct Part {
  std::string name{};
  std::string provider = "openai";
  std::string limits{};               ///< of the model: R"("rpm": 60)"
  std::vector<std::string> faults{};  ///< members of each; it is "on" the model
  bool stream = false;

  Duration end = forever;  ///< from the attempt's beginning, as are all instants below
  Duration first_token = forever;
  Duration idle = forever;
  Duration connect = forever;
  std::uint32_t cap = 0;          ///< Limits::max_tokens
  std::uint32_t request_cap = 0;  ///< Request::max_tokens
  bool tell = true;
  bool hold = false;
  Detached detached{};

  /// Asks the model of the part before it, so long after that one began.
  std::optional<Duration> after_previous{};
};

/// What became of it. Durations count from its beginning.
struct Seen {
  std::optional<Outcome> outcome;  ///< at its end, or of its detachment
  Duration ended{};
  Duration late{};  ///< of its beginning, which a machine with other things to do puts off
  bool detached = false;
  int ends = 0;
  int first_outputs = 0;
  int pieces = 0;
  std::string text;                   ///< of all pieces
  Duration first_output{};            ///< as the outcome tells; forever: none
  std::vector<std::string> breaches;  ///< of what every transport must keep to, in words
};

struct Played {
  std::vector<Seen> seen;  ///< in the order of the parts
  std::vector<std::string> leftovers;
  int files_left = 0;  ///< open files that were not open before
};

/// Plays all parts at once, each 2 ms after the one before it; part i is call i.
Played play(World world, const std::vector<Part>& parts);

/// Whether a transport brings texts, or knows only their sizes.
inline bool carries_text(World world) {
  return world == World::real;
}

/// What the models of a script with these parts have: model i for part i, but for parts that ask
/// the model of the one before. `duration` of its only phase: an hour.
mock::Script script_of(const std::vector<Part>& parts);

}  // namespace brownout::testing
