#pragma once

// The few system calls the server is made of, with their errors turned into values.

#include <sys/epoll.h>

#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "engine/core/result.hpp"
#include "engine/core/time.hpp"

namespace brownout::mock::http {

/// A file descriptor that is closed with its owner.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() { close(); }

  int get() const { return number_; }
  bool is_open() const { return number_ >= 0; }
  void close();

 private:
  int number_ = -1;
};

/// A listening socket, its address and its port.
struct Listener {
  Descriptor socket;
  std::string host;
  std::uint16_t port = 0;
  std::string url;
};

/// Binds a numeric address, or "localhost", and listens with as long a backlog as the system
/// grants. Errors: environment.
Result<Listener> listen_at(const std::string& host, std::uint16_t port);

/// Closes the socket, which refuses whoever connects, and keeps hold of the port as far as that is
/// possible: programs that ask for addresses in use (SO_REUSEADDR) can still take it. Errors:
/// environment.
Result<void> stop_listening(Listener& listener);
/// Listens again at the same port. Errors: environment (another program has taken it).
Result<void> listen_again(Listener& listener);

/// Who may open how many files: raises the process's soft limit to its hard one, and returns it.
std::size_t raise_file_limit();

/// Real time, since some fixed point.
Duration real_now();
/// Calendar time at that point, by today's clocks.
SystemTime calendar_at_zero();

/// An epoll instance and an event that ends its waits from another thread.
class Poller {
 public:
  static constexpr std::uint64_t wake_tag = ~std::uint64_t{0};

  /// Errors: environment.
  Result<void> open();
  void add(int descriptor, std::uint32_t events, std::uint64_t tag);
  void change(int descriptor, std::uint32_t events, std::uint64_t tag);
  /// The events that are there, after `patience` at the latest, or after a signal. Precise to far
  /// less than a millisecond.
  std::span<const epoll_event> wait(std::span<epoll_event> room, Duration patience);
  /// From any thread.
  void wake();
  void take_wake();

 private:
  Descriptor epoll_;
  Descriptor wake_;
};

/// What became of a send or a receive: bytes moved, or one of the two reasons for none.
enum class Moved : std::uint8_t { some, nothing_yet, ended };
Moved send_some(int socket, const char* from, std::size_t size, std::size_t& moved);
Moved receive_some(int socket, char* to, std::size_t size, std::size_t& moved);

/// Makes close() send RST instead of FIN.
void reset_on_close(int socket);
void send_fin(int socket);

}  // namespace brownout::mock::http
