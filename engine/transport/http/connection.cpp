#include "engine/transport/http/connection.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <utility>

#include "engine/core/check.hpp"

namespace brownout::http {
namespace {

namespace asio = boost::asio;
namespace wire = boost::beast::http;
using Tcp = asio::ip::tcp;

constexpr JobName connection_job{"connection"};

constexpr std::size_t read_bytes = std::size_t{16} << 10;

// How long the end of a message is waited for that nobody needs any more.
constexpr Duration patience_with_ends = std::chrono::milliseconds{250};

// A server that closes after N seconds may do so a little earlier than we count.
constexpr Duration keep_alive_margin = std::chrono::seconds{1};

/// N of "timeout=N, max=M" (RFC 2068, 19.7.1.1; servers send it still), less the margin.
Duration server_keeps(std::string_view value) {
  constexpr std::string_view word = "timeout=";
  const std::size_t at = value.find(word);
  if (at == value.npos) return forever;
  std::int64_t seconds = 0;
  constexpr std::int64_t most = 86'400;
  for (const char c : value.substr(at + word.size())) {
    if (c < '0' || c > '9') break;
    seconds = std::min(most, seconds * 10 + (c - '0'));
  }
  return std::max(Duration{}, Duration(std::chrono::seconds{seconds}) - keep_alive_margin);
}

bool is_orderly(const boost::system::error_code& error) {
  return error == asio::error::eof || error == asio::ssl::error::stream_truncated;
}

}  // namespace

Connection::Connection(AsioRuntime& runtime, const Endpoint& endpoint, ConnectionKeeper& keeper)
    : Timer(connection_job),
      runtime_(runtime),
      endpoint_(endpoint),
      keeper_(&keeper),
      socket_(runtime.executor()),
      resolver_(runtime.executor()) {}

void Connection::open(ConnectionUser& user) {
  user_ = &user;
  Error not_numeric;
  const auto address = asio::ip::make_address(endpoint_.host, not_numeric);
  if (not_numeric) return resolve();
  connect({Tcp::endpoint(address, endpoint_.port)});
}

void Connection::resolve() {
  resolver_.async_resolve(
      endpoint_.host, std::to_string(endpoint_.port), Tcp::resolver::numeric_service,
      [self = shared_from_this()](const Error& error, const Tcp::resolver::results_type& found) {
        if (self->keeper_ == nullptr) return;
        const AsioRuntime::Turn turn(self->runtime_);
        if (error) return self->failed("resolve", error);
        std::vector<Tcp::endpoint> addresses;
        for (const auto& entry : found) addresses.push_back(entry.endpoint());
        self->connect(std::move(addresses));
      });
}

void Connection::connect(std::vector<Tcp::endpoint> addresses) {
  addresses_ = std::move(addresses);
  asio::async_connect(socket_, addresses_,
                      [self = shared_from_this()](const Error& error, const Tcp::endpoint&) {
                        if (self->keeper_ == nullptr) return;
                        const AsioRuntime::Turn turn(self->runtime_);
                        self->connected(error);
                      });
}

void Connection::connected(const Error& error) {
  if (error) return failed("connect", error);
  Error ignored;
  socket_.set_option(Tcp::no_delay(true), ignored);
  endpoint_.tls ? handshake() : opened();
}

void Connection::handshake() {
  tls_ = std::make_unique<asio::ssl::stream<Tcp::socket&>>(socket_, *endpoint_.tls);
  tls_->set_verify_callback(asio::ssl::host_name_verification(endpoint_.host));
  Error not_numeric;
  asio::ip::make_address(endpoint_.host, not_numeric);
  // Addresses are not told to the server (RFC 6066, 3).
  if (not_numeric) {
    // What the macro SSL_set_tlsext_host_name does with casts that we do not allow.
    SSL_ctrl(tls_->native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             const_cast<char*>(endpoint_.host.c_str()));
  }
  tls_->async_handshake(asio::ssl::stream_base::client,
                        [self = shared_from_this()](const Error& error) {
                          if (self->keeper_ == nullptr) return;
                          const AsioRuntime::Turn turn(self->runtime_);
                          error ? self->failed("handshake", error) : self->opened();
                        });
}

void Connection::opened() {
  user_->on_open();
}

void Connection::failed(std::string_view stage, const Error& error) {
  keeper_->on_trouble(*this, stage, error);
  breach(Breach::broken);
}

void Connection::take(ConnectionUser& user) {
  BROWNOUT_CHECK(user_ == nullptr && !parser_);
  user_ = &user;
}

void Connection::send(std::string request) {
  request_ = std::move(request);
  write_failed_ = false;
  any_byte_ = false;
  if (reused_) acknowledged_before_ = acknowledged();
  new_message();
  write();
  read();
}

void Connection::new_message() {
  parser_.emplace();
  parser_->eager(true);
  parser_->header_limit(static_cast<std::uint32_t>(
      std::min<std::size_t>(endpoint_.options.most_header_bytes, 0x7FFF'FFFF)));
  parser_->body_limit(endpoint_.options.most_reply_bytes);
  head_told_ = false;
}

void Connection::write() {
  writing_ = true;
  auto done = [self = shared_from_this()](const Error& error, std::size_t) {
    self->writing_ = false;
    // What comes of it is told by the reading side: an answer that did not wait for the whole
    // request, or the end of the connection.
    self->write_failed_ = bool{error};
  };
  tls_ ? asio::async_write(*tls_, asio::buffer(request_), std::move(done))
       : asio::async_write(socket_, asio::buffer(request_), std::move(done));
}

void Connection::read() {
  if (std::exchange(reading_, true)) return;
  auto done = [self = shared_from_this()](const Error& error, std::size_t bytes) {
    if (self->keeper_ == nullptr) return;
    const AsioRuntime::Turn turn(self->runtime_);
    self->received(error, bytes);
  };
  const auto space = buffer_.prepare(read_bytes);
  tls_ ? tls_->async_read_some(space, std::move(done))
       : socket_.async_read_some(space, std::move(done));
}

void Connection::received(const Error& error, std::size_t bytes) {
  reading_ = false;
  buffer_.commit(bytes);
  if (bytes > 0) {
    any_byte_ = true;
    parse();
  }
  if (keeper_ == nullptr || !parser_) return;
  if (error) return ended(error);
  read();
}

void Connection::parse() {
  while (keeper_ != nullptr && parser_ && buffer_.size() > 0) {
    Error error;
    const std::size_t used = parser_->put(buffer_.data(), error);
    buffer_.consume(used);
    const bool more = error == wire::error::need_more;
    if (parser_->is_header_done() && !head_told_) {
      // 100, 103: the answer is yet to come.
      if (parser_->get().result_int() < 200 && parser_->get().result_int() != 101) {
        new_message();
        continue;
      }
      tell_head();
    }
    if (head_told_ && keeper_ != nullptr) tell_body();
    if (keeper_ == nullptr) return;
    if (error && !more) {
      keeper_->on_trouble(*this, "parse", error);
      return breach(Breach::garbage);
    }
    if (parser_->is_done()) return message_over();
    if (more || used == 0) return;
  }
}

void Connection::tell_head() {
  head_told_ = true;
  std::vector<HeaderView> headers;
  for (const auto& field : parser_->get()) {
    headers.push_back({field.name_string(), field.value()});
  }
  server_keeps_ = server_keeps(parser_->get()[wire::field::keep_alive]);
  if (user_ == nullptr) return;
  user_->on_head(static_cast<std::uint16_t>(parser_->get().result_int()), headers);
}

void Connection::tell_body() {
  std::string& body = parser_->get().body();
  if (body.empty()) return;
  std::string bytes;
  bytes.swap(body);
  if (user_ != nullptr) user_->on_body(bytes);
  if (keeper_ == nullptr) return;
  bytes.clear();
  bytes.swap(body);
}

void Connection::message_over() {
  const bool keeps = parser_->keep_alive() && !writing_ && !write_failed_ && buffer_.size() == 0;
  parser_.reset();
  const auto self = shared_from_this();
  ConnectionUser* const user = std::exchange(user_, nullptr);
  // First: what the user does next may want a connection.
  keeps ? rest() : close();
  if (user != nullptr) user->on_complete();
}

void Connection::ended(const Error& error) {
  if (error == asio::error::eof && head_told_) {
    Error partial;
    parser_->put_eof(partial);
    if (!partial && parser_->is_done()) {
      tell_body();
      if (keeper_ == nullptr) return;
      return message_over();
    }
  }
  if (user_ == nullptr) return close();
  keeper_->on_trouble(*this, "read", error);
  breach(unheard(error) ? Breach::unheard : Breach::broken);
}

bool Connection::unheard(const Error& error) {
  if (!reused_ || any_byte_) return false;
  if (writing_ || write_failed_) return true;
  if (!is_orderly(error) || !acknowledged_before_) return false;
  return acknowledged() == acknowledged_before_;
}

std::optional<std::uint64_t> Connection::acknowledged() {
  return acknowledged_bytes(socket_.native_handle());
}

void Connection::breach(Breach breach) {
  const auto self = shared_from_this();
  ConnectionUser* const user = std::exchange(user_, nullptr);
  close();
  if (user != nullptr) user->on_breach(breach);
}

void Connection::leave() {
  user_ = nullptr;
  if (keeper_ != nullptr) runtime_.arm(*this, after(runtime_.now(), patience_with_ends));
}

void Connection::rest() {
  runtime_.disarm(*this);
  reused_ = true;
  request_.clear();
  const Duration idle_for = std::min(endpoint_.options.idle_for, server_keeps_);
  usable_until_ = after(runtime_.now(), idle_for);
  keeper_->on_idle(*this);
}

void Connection::close() {
  if (keeper_ == nullptr) return;
  const auto self = shared_from_this();
  ConnectionKeeper* const keeper = std::exchange(keeper_, nullptr);
  user_ = nullptr;
  runtime_.disarm(*this);
  resolver_.cancel();
  Error ignored;
  socket_.close(ignored);
  keeper->on_closed(*this);
}

bool Connection::is_fresh(Instant now) {
  if (is_outlived(now)) return false;
  char byte = 0;
  const auto seen = recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  // Neither its end nor anything that nobody asked for.
  return seen < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace brownout::http
