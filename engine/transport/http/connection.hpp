#pragma once

// One connection to an endpoint. Included by the transport's own sources; not for use elsewhere.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/policy/server_hint.hpp"
#include "engine/runtime/asio_runtime.hpp"
#include "engine/transport/http/endpoint.hpp"

namespace brownout::http {

class Connection;

/// How an exchange failed.
enum class Breach : std::uint8_t {
  broken,   ///< the connection ended, or never came about
  unheard,  ///< the same, and nobody can have worked on the request
  garbage,  ///< what came is not HTTP, or too much
};

/// Whoever has a connection for one request.
class ConnectionUser {
 public:
  virtual void on_open() = 0;
  virtual void on_head(std::uint16_t status, std::span<const HeaderView> headers) = 0;
  virtual void on_body(std::string_view bytes) = 0;
  virtual void on_complete() = 0;
  virtual void on_breach(Breach breach) = 0;

 protected:
  ~ConnectionUser() = default;
};

/// Whoever keeps connections. Learns of those that have no user any more.
class ConnectionKeeper {
 public:
  /// May be used again.
  virtual void on_idle(Connection& connection) = 0;
  /// Is closed.
  virtual void on_closed(Connection& connection) = 0;
  virtual void on_trouble(const Connection& connection, std::string_view stage,
                          const boost::system::error_code& error) = 0;

 protected:
  ~ConnectionKeeper() = default;
};

/// Opens, sends a request, reads its answer, and again.
///
/// Nothing is under way while it is idle, so that an executor without anything else to do comes to
/// an end; whether the server has closed it meanwhile is looked up before it is used.
///
/// *Ownership*: shared by its keeper and the operations under way; once closed it calls nobody.
/// *Threads*: the runtime's.
class Connection final : public std::enable_shared_from_this<Connection>, private Timer {
 public:
  using Endpoint = HttpEndpoints::Endpoint;

  Connection(AsioRuntime& runtime, const Endpoint& endpoint, ConnectionKeeper& keeper);

  /// `user` hears on_open, or on_breach. Later, never inside this function.
  void open(ConnectionUser& user);

  /// Gives an idle connection to a user.
  void take(ConnectionUser& user);

  /// Requires: open, nothing sent before without an answer. The user hears head, body, and one of
  /// on_complete and on_breach.
  void send(std::string request);

  /// The user has what it wants. The connection is kept as soon as the message is read to its end,
  /// if that is soon, else closed.
  void leave();

  /// At once.
  void close();

  /// Whether an idle connection has been kept for long enough.
  bool is_outlived(Instant now) const { return now >= usable_until_; }

  /// Whether an idle connection can be used, as far as anybody knows.
  bool is_fresh(Instant now);

  const Endpoint& endpoint() const { return endpoint_; }

 private:
  using Tcp = boost::asio::ip::tcp;
  using Parser = boost::beast::http::response_parser<boost::beast::http::string_body>;
  using Error = boost::system::error_code;

  void fire() override { close(); }
  void resolve();
  void connect(std::vector<Tcp::endpoint> addresses);
  void connected(const Error& error);
  void handshake();
  void opened();
  void failed(std::string_view stage, const Error& error);
  void write();
  void read();
  void received(const Error& error, std::size_t bytes);
  void parse();
  void tell_head();
  void tell_body();
  void message_over();
  void ended(const Error& error);
  void breach(Breach breach);
  bool unheard(const Error& error);
  void rest();
  void new_message();
  std::optional<std::uint64_t> acknowledged();

  AsioRuntime& runtime_;
  const Endpoint& endpoint_;
  ConnectionKeeper* keeper_;  // null once closed
  ConnectionUser* user_ = nullptr;
  Tcp::socket socket_;
  Tcp::resolver resolver_;
  std::unique_ptr<boost::asio::ssl::stream<Tcp::socket&>> tls_;
  std::vector<Tcp::endpoint> addresses_;

  std::string request_;
  bool writing_ = false;
  bool write_failed_ = false;
  bool reused_ = false;
  std::optional<std::uint64_t> acknowledged_before_;

  std::optional<Parser> parser_;
  boost::beast::flat_buffer buffer_;
  bool head_told_ = false;
  bool any_byte_ = false;  // of the answer
  bool reading_ = false;
  Duration server_keeps_ = forever;
  Instant usable_until_ = never;
};

/// How many bytes the peer of this socket has acknowledged so far, of all that was sent to it;
/// nothing where the system does not say.
std::optional<std::uint64_t> acknowledged_bytes(int socket);

}  // namespace brownout::http
