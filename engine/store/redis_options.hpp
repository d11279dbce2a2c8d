#pragma once

// Where a Redis is and how patient to be with it.

#include <cstddef>
#include <cstdint>
#include <string>

#include "engine/core/time.hpp"

namespace brownout {

struct RedisOptions {
  /// Name or address. Default 127.0.0.1.
  std::string host = "127.0.0.1";

  /// Default 6379.
  std::uint16_t port = 6379;

  /// Path of a Unix socket; when not empty, `host` and `port` are ignored. Default none.
  std::string unix_socket;

  /// Number of the database that is selected. Default 0.
  std::uint32_t database = 0;

  /// User of Redis 6 and later (ACL). Ignored without a password. Default: the server's `default`.
  std::string user;

  /// Name of the environment variable that holds the password; empty: none. The password itself is
  /// never part of an option, a message or a log. Default none.
  std::string password_variable;

  /// Before each key, so that several programs can share a database. At most 256 bytes, any of
  /// them. Default "brownout:".
  std::string key_prefix = "brownout:";

  /// From the beginning of an attempt to connect until the server has let us in. More than 0.
  /// Default 1 s.
  Duration connect_timeout = std::chrono::seconds{1};

  /// How long a command may take before the connection is given up as dead, and every other command
  /// on it with it. More than 0. Default 250 ms.
  Duration command_timeout = std::chrono::milliseconds{250};

  /// Between two attempts to connect: the first wait, doubled up to the longest. More than 0, and
  /// in order. Default 50 ms and 5 s.
  Duration first_reconnect_wait = std::chrono::milliseconds{50};
  Duration longest_reconnect_wait = std::chrono::seconds{5};

  /// Commands that wait or are under way at once: above, lookups miss and puts are dropped. At
  /// least 1. Default 1,024.
  std::size_t most_pending = 1024;

  /// Bytes of the replies among them; above, puts are dropped. At least 1. Default 32 MiB.
  std::size_t most_pending_bytes = std::size_t{32} << 20;
};

/// What a Redis store has done so far. Every lookup and every put is counted once, when its fate is
/// known.
struct RedisCounts {
  std::uint64_t found = 0;
  std::uint64_t missed = 0;       ///< the server has no such reply
  std::uint64_t undecodable = 0;  ///< a value under our key that is not ours, or not whole
  std::uint64_t unanswered = 0;   ///< lookups lost to an error, a timeout or a broken connection
  std::uint64_t cancelled = 0;    ///< lookups nobody waited for any more when they ended
  std::uint64_t skipped = 0;  ///< lookups that missed at once: no connection, or too much pending

  std::uint64_t stored = 0;
  std::uint64_t puts_failed = 0;   ///< lost to an error, a timeout or a broken connection
  std::uint64_t puts_dropped = 0;  ///< not even tried: no connection, or too much pending

  std::uint64_t connections = 0;       ///< made, as far as the server let us in
  std::uint64_t connections_lost = 0;  ///< of those
};

}  // namespace brownout
