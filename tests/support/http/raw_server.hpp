#pragma once

// A server that does what a test tells it to, byte by byte, on a bare socket.
//
//     RawServer server([](Peer& peer) {
//       peer.read_request();
//       peer.send("HTTP/1.1 200 OK\r\n");
//       peer.reset();
//     });

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace brownout::testing {

/// One accepted connection. *Threads*: the server's own for it.
class Peer {
 public:
  explicit Peer(int socket, int number) : socket_(socket), number_(number) {}
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer();

  /// 0 for the server's first connection.
  int number() const { return number_; }

  struct Request {
    std::string head;  ///< with the empty line
    std::string body;
  };
  /// The next whole request; nothing when the client has closed before that.
  std::optional<Request> read_request();
  /// Up to so many bytes; fewer only when the client has closed.
  std::string read(std::size_t bytes);

  /// False when the client is gone.
  bool send(std::string_view bytes);
  void pause(std::chrono::milliseconds time) { std::this_thread::sleep_for(time); }

  /// FIN, and no more reading.
  void close();
  /// FIN; what the client sends is still read.
  void half_close();
  /// RST.
  void reset();

  /// Whether the client closes within this time. What it sends until then is dropped.
  bool sees_close(std::chrono::milliseconds within);

  /// Ends whatever its thread waits for. *Threads*: any.
  void abort();

 private:
  std::mutex mutex_;  // between close() and abort(), the only one that others call
  int socket_;
  const int number_;
  std::string read_;  // and not yet given
};

/// Calls a function for each connection, on a thread of its own.
///
/// *Threads*: made and destroyed on one, which at its end closes what is open and waits for every
/// function: one that waits on its peer then finds it closed.
class RawServer {
 public:
  explicit RawServer(std::function<void(Peer&)> serve);
  ~RawServer();

  std::uint16_t port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int accepted() const { return accepted_; }

 private:
  void accept_all();

  const std::function<void(Peer&)> serve_;
  int listener_;
  std::uint16_t port_ = 0;
  std::atomic<int> accepted_ = 0;
  std::atomic<bool> ending_ = false;
  std::mutex mutex_;  // of what follows
  std::vector<std::shared_ptr<Peer>> peers_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

/// A port on which nobody listens.
std::uint16_t closed_port();

/// A whole answer with a content-length.
std::string answer(int status, std::string_view body,
                   std::string_view headers = "content-type: application/json\r\n");
/// The head of an answer in chunks, and a chunk of it.
std::string stream_head(std::string_view headers = "content-type: text/event-stream\r\n");
std::string chunk(std::string_view bytes);
inline constexpr std::string_view last_chunk = "0\r\n\r\n";

}  // namespace brownout::testing
