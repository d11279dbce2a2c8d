#include "tests/support/http/tls_server.hpp"

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <cstdlib>
#include <filesystem>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/core/check.hpp"

namespace brownout::testing {
namespace {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;

void run(const std::string& command) {
  BROWNOUT_CHECK(std::system((command + " >/dev/null 2>&1").c_str()) == 0);
}

}  // namespace

Authority::Authority() {
  std::string name = (std::filesystem::temp_directory_path() / "brownout-tls-XXXXXX").string();
  BROWNOUT_CHECK(mkdtemp(name.data()) != nullptr);
  folder_ = name;
  run(
      fmt::format("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
                  "-subj '/CN=test authority' -days 2 -keyout {0}/ca.key -out {0}/ca.pem",
                  folder_));
}

Authority::~Authority() {
  std::filesystem::remove_all(folder_);
}

Authority::Certificate Authority::issue(std::string_view names, int days) const {
  static int number = 0;
  const std::string base = fmt::format("{}/{}", folder_, ++number);
  run(
      fmt::format("openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
                  "-subj '/CN=test' -keyout {0}.key -out {0}.csr && "
                  "printf 'subjectAltName={2}' > {0}.ext && "
                  "openssl x509 -req -in {0}.csr -CA {1}/ca.pem -CAkey {1}/ca.key -CAcreateserial "
                  "-days {3} -extfile {0}.ext -out {0}.pem",
                  base, folder_, names, days));
  return {base + ".pem", base + ".key"};
}

class TlsServer::Impl {
 public:
  Impl(const Authority::Certificate& certificate, std::string answer)
      : answer_(std::move(answer)),
        acceptor_(context_, Tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
    tls_.use_certificate_chain_file(certificate.chain);
    tls_.use_private_key_file(certificate.key, asio::ssl::context::pem);
    thread_ = std::thread([this] { accept_all(); });
  }

  ~Impl() {
    boost::system::error_code ignored;
    acceptor_.cancel(ignored);
    ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
    thread_.join();
    {
      const std::lock_guard lock(mutex_);
      for (Tcp::socket& socket : sockets_) ::shutdown(socket.native_handle(), SHUT_RDWR);
    }
    for (std::thread& thread : threads_) thread.join();
  }

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  int accepted() const { return accepted_; }
  std::string asked_for() const {
    const std::lock_guard lock(mutex_);
    return asked_for_;
  }

 private:
  void accept_all() {
    for (;;) {
      boost::system::error_code error;
      Tcp::socket socket(context_);
      acceptor_.accept(socket, error);
      if (error) return;
      ++accepted_;
      const std::lock_guard lock(mutex_);
      sockets_.push_back(std::move(socket));
      threads_.emplace_back([this, &mine = sockets_.back()] { serve(mine); });
    }
  }

  void serve(Tcp::socket& socket) {
    boost::system::error_code error;
    asio::ssl::stream<Tcp::socket&> stream(socket, tls_);
    stream.handshake(asio::ssl::stream_base::server, error);
    if (error) return end(socket);
    {
      const char* const name =
          SSL_get_servername(stream.native_handle(), TLSEXT_NAMETYPE_host_name);
      const std::lock_guard lock(mutex_);
      asked_for_ = name != nullptr ? name : "";
    }
    std::string read;
    char buffer[4096];
    while (!error) {
      read.append(buffer, stream.read_some(asio::buffer(buffer), error));
      // Requests here are short and end with their JSON.
      if (!read.ends_with('}')) continue;
      read.clear();
      asio::write(stream, asio::buffer(answer_), error);
    }
    end(socket);
  }

  void end(Tcp::socket& socket) { ::shutdown(socket.native_handle(), SHUT_RDWR); }

  const std::string answer_;
  asio::io_context context_;
  asio::ssl::context tls_{asio::ssl::context::tls_server};
  Tcp::acceptor acceptor_;
  std::atomic<int> accepted_ = 0;
  mutable std::mutex mutex_;  // of what follows
  std::string asked_for_;
  std::list<Tcp::socket> sockets_;
  std::vector<std::thread> threads_;
  std::thread thread_;
};

TlsServer::TlsServer(const Authority::Certificate& certificate, std::string answer)
    : impl_(std::make_unique<Impl>(certificate, std::move(answer))) {}
TlsServer::~TlsServer() = default;
std::uint16_t TlsServer::port() const {
  return impl_->port();
}
int TlsServer::accepted() const {
  return impl_->accepted();
}
std::string TlsServer::asked_for() const {
  return impl_->asked_for();
}

}  // namespace brownout::testing
