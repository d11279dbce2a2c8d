#pragma once

// A real redis-server of a test's own: on a free loopback port, with a folder of its own, and gone
// with the test.

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace brownout::testing {

/// Begins stopped. Nothing is kept when it stops. *Threads*: one.
class RedisServer {
 public:
  /// `arguments` follow those this class gives, as in {"--requirepass", "secret"}.
  explicit RedisServer(std::vector<std::string> arguments = {});
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;
  ~RedisServer();

  /// Returns once it answers, on the same port every time. Requires: it does not run.
  void start();

  void stop();    ///< SIGTERM, and waits for its end
  void freeze();  ///< SIGSTOP: connections stay open, nothing is answered
  void thaw();    ///< SIGCONT

  std::uint16_t port() const { return port_; }
  std::string socket_path() const { return folder_ / "redis.sock"; }

  /// The answer to a command on a connection of its own, as text: a string or status as it is, an
  /// error with "error: " before it, "nil", or a number.
  std::string ask(const std::vector<std::string>& command) const;

 private:
  pid_t spawn() const;
  bool answers() const;

  const std::vector<std::string> arguments_;
  std::filesystem::path folder_;
  std::uint16_t port_ = 0;
  pid_t pid_ = 0;
};

}  // namespace brownout::testing
