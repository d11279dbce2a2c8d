#include "mockserver/http/server.hpp"

#include "mockserver/http/loop.hpp"
#include "mockserver/http/sockets.hpp"

namespace brownout::mock::http {

Server::Server(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::listen(ServerOptions options) {
  auto listener = listen_at(options.host, options.port);
  if (!listener) return tl::unexpected(std::move(listener.error()));
  std::optional<Listener> admin;
  if (options.admin_port) {
    auto opened = listen_at(options.host, *options.admin_port);
    if (!opened) return tl::unexpected(std::move(opened.error()));
    admin = std::move(*opened);
  }
  auto loop = std::make_unique<Loop>(std::move(options), std::move(*listener), std::move(admin));
  if (auto opened = loop->open(); !opened) return tl::unexpected(std::move(opened.error()));
  return std::unique_ptr<Server>(new Server(std::move(loop)));
}

std::uint16_t Server::port() const {
  return loop_->listener().port;
}
std::string Server::url() const {
  return loop_->listener().url;
}
std::string Server::admin_url() const {
  return loop_->admin_listener().url;
}
Result<void> Server::run(const std::atomic<bool>* interrupt, Duration lasts) {
  return loop_->run(interrupt, lasts);
}
void Server::stop() {
  loop_->stop();
}
const ServerCounts& Server::counts() const {
  return loop_->counts();
}
const Session& Server::session() const {
  return loop_->everybody();
}

SessionTotals Server::totals() const {
  return loop_->totals();
}

Instant Server::ended_at() const {
  return loop_->ended_at();
}

}  // namespace brownout::mock::http
