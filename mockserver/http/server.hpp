#pragma once

// The scripted provider on a socket: HTTP/1.1 in the dialects of the vendors, and every fault of
// the script as bytes, delays, FIN and RST.
//
// One thread does everything, in a loop over epoll: it reads requests, asks the script, and sends
// each piece of each reply when its time has come. A reply that waits costs no thread, so neither
// thousands of streams nor thousands of clients that never finish their request keep others
// waiting. docs/design/006-provider-on-a-socket.md has the measurements behind this.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/core/result.hpp"
#include "engine/core/time.hpp"
#include "mockserver/http/session.hpp"

namespace brownout::mock::http {

/// What a client may take up. Whoever exceeds a limit gets an answer that says so and is closed.
struct ServerLimits {
  /// At once; fewer if the process may not open so many files. Above it the connection that has
  /// been idle for longest makes room, and if none is idle the new one gets a 503.
  std::size_t connections = 10'000;
  std::size_t head_bytes = 32 * 1024;               ///< 431
  std::size_t body_bytes = 10 * 1024 * 1024;        ///< 413
  Duration head_time = std::chrono::seconds{10};    ///< from a request's first byte; 408
  Duration body_time = std::chrono::seconds{30};    ///< from the head's end; 408
  Duration idle_time = std::chrono::seconds{75};    ///< between requests
  Duration unread_time = std::chrono::seconds{60};  ///< a client that takes nothing of its reply
  std::size_t test_name_bytes = 128;                ///< 400
  /// Sessions of `x-brownout-test`. For another one, the least recently used ends that has not been
  /// used for `test_idle_time` and has no request under way; if there is none, 503.
  std::size_t tests = 1'000;
  Duration test_idle_time = std::chrono::seconds{60};
  std::size_t test_journal_lines = 1'000;  ///< as SessionOptions says, for each test
  std::size_t test_known_calls = 10'000;
};

struct ServerOptions {
  std::string scenario;            ///< its name, for the admin API
  std::string host = "127.0.0.1";  ///< IPv4 or IPv6 address to bind
  std::uint16_t port = 0;          ///< 0: any free one

  /// A port for the admin API alone, which the other then does not have; 0: any free one. With it,
  /// `port` refuses connections as long as the script (and the faults injected into everybody's
  /// session) refuses every model; connections that are there go on. Absent: nobody is refused a
  /// connection, as the admin API could not be reached; what is refused is reset once it is read.
  std::optional<std::uint16_t> admin_port{};
  SessionOptions session;
  ServerLimits limits;
  std::function<void()> on_tick;  ///< called ten times a second; may be empty
};

struct ServerCounts {
  std::uint64_t connections = 0;  ///< accepted
  std::uint64_t requests = 0;     ///< to the provider
  std::uint64_t shed = 0;         ///< connections answered with 503
  std::uint64_t evicted = 0;      ///< idle connections closed to make room
  std::uint64_t starved = 0;      ///< times that no file descriptor was left for a connection
  std::uint64_t malformed = 0;    ///< requests that were no HTTP, too large or too slow
};

class Loop;

/// *Threads*: run() in one; stop() from any thread. The process must ignore SIGPIPE or not mind:
/// sends never raise it.
class Server {
 public:
  /// Binds and listens. Errors: environment (the port is taken, no such address).
  static Result<std::unique_ptr<Server>> listen(ServerOptions options);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  std::uint16_t port() const;
  /// "http://127.0.0.1:8080"
  std::string url() const;
  /// Where the admin API is: url(), unless it has a port of its own.
  std::string admin_url() const;

  /// Serves until stop(), until `*interrupt` becomes true (looked at after every signal and ten
  /// times a second), or until `lasts` of scenario time have passed. Replies under way are broken
  /// off, journalled as such, and every session is told that no more requests come. Errors:
  /// environment (with `admin_port`, another program has taken the port during an outage).
  Result<void> run(const std::atomic<bool>* interrupt = nullptr, Duration lasts = forever);
  void stop();

  /// After run(), or from the thread of run().
  const ServerCounts& counts() const;
  /// The session of everybody without `x-brownout-test`.
  const Session& session() const;
  /// What all sessions have seen, also those that have made room for others.
  SessionTotals totals() const;
  /// The scenario time at which run() ended.
  Instant ended_at() const;

 private:
  explicit Server(std::unique_ptr<Loop> loop);
  std::unique_ptr<Loop> loop_;
};

}  // namespace brownout::mock::http
