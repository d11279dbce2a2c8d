#include "mockserver/http/loop.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>

namespace brownout::mock::http {
namespace {

using State = Connection::State;

constexpr Duration sweep_interval = std::chrono::milliseconds{100};
constexpr std::size_t read_size = 64 * 1024;
// Files the process needs for itself.
constexpr std::size_t files_apart = 64;
// Beyond the ceiling: connections that are just being told so.
constexpr std::size_t most_shedding = 64;
constexpr int most_accepted_at_once = 64;

// Clients compare dates with their own clocks, whatever year the scenario plays in.
SessionOptions& dated(SessionOptions& options) {
  options.calendar = calendar_at_zero();
  return options;
}

}  // namespace

Loop::Loop(ServerOptions options, Listener listener, std::optional<Listener> admin)
    : options_(std::move(options)),
      listener_(std::move(listener)),
      admin_(std::move(admin)),
      now_(real_now()),
      everybody_(std::make_shared<Session>(dated(options_.session), "", now_)) {
  const std::size_t files = raise_file_limit();
  ceiling_ = std::min(options_.limits.connections,
                      files > 2 * files_apart ? files - files_apart - most_shedding : files / 2);
  buffer_.resize(read_size);
}

Result<void> Loop::open() {
  if (auto opened = poller_.open(); !opened) return opened;
  poller_.add(listener_.socket.get(), EPOLLIN, listener_tag);
  if (admin_) poller_.add(admin_->socket.get(), EPOLLIN, admin_tag);
  mind_the_door();
  return door_;
}

void Loop::stop() {
  stopping_ = true;
  poller_.wake();
}

Result<void> Loop::run(const std::atomic<bool>* interrupt, Duration lasts) {
  std::array<epoll_event, 512> room{};
  const Duration ends = lasts == forever ? forever : real_now() + scaled(lasts);
  const auto is_over = [&] {
    return stopping_ || (interrupt != nullptr && *interrupt) || now_ >= ends || !door_;
  };
  next_sweep_ = real_now();
  for (now_ = real_now(); !is_over(); now_ = real_now()) {
    mind_the_door();
    Duration until = std::min({next_sweep_, ends, admin_ ? refusal_known_ : forever});
    if (!timers_.empty()) until = std::min(until, timers_.top().due);
    const auto events = poller_.wait(room, ahead_.empty() ? until - now_ : Duration{0});
    now_ = real_now();
    gathering_ = true;
    for (const epoll_event& event : events) {
      const std::uint64_t tag = event.data.u64;
      if (tag == Poller::wake_tag) {
        poller_.take_wake();
      } else if (tag == listener_tag) {
        accept_all(listener_);
      } else if (tag == admin_tag) {
        accept_all(*admin_);
      } else if (Connection* connection = find(tag)) {
        on_event(*connection, event.events);
      }
    }
    deliver_gathered();
    run_timers();
    read_ahead();
    if (now_ >= next_sweep_) sweep();
  }
  shut_down();
  return door_;
}

void Loop::run_timers() {
  now_ = real_now();
  while (!timers_.empty() && timers_.top().due <= now_) {
    const Timer timer = timers_.top();
    timers_.pop();
    Connection* connection = find(timer.id);
    // An entry that is not its connection's earliest has been overtaken.
    if (connection == nullptr || connection->timer != timer.due) continue;
    connection->timer = forever;
    if (connection->state == State::replying) play(*connection);
  }
  run_begun();
}

// Replies that begin may end at once, and make others begin.
void Loop::run_begun() {
  while (!begun_.empty()) {
    std::vector<std::uint64_t> begun;
    begun.swap(begun_);
    for (const std::uint64_t id : begun) {
      Connection* connection = find(id);
      if (connection != nullptr && connection->state == State::replying) play(*connection);
    }
  }
}

void Loop::read_ahead() {
  std::vector<std::uint64_t> ahead;
  ahead.swap(ahead_);
  for (const std::uint64_t id : ahead) {
    Connection* connection = find(id);
    if (connection != nullptr && connection->state == State::head) read_request(*connection);
  }
  run_begun();
}

void Loop::sweep() {
  next_sweep_ = now_ + sweep_interval;
  if (options_.on_tick) options_.on_tick();
  if (!doors_watched_) watch_doors(true);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Connection* connection = slots_[i].get();
    if (connection != nullptr && connection->timeout <= now_) on_timeout(*connection);
  }
}

void Loop::shut_down() {
  now_ = real_now();
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Connection* connection = slots_[i].get();
    if (connection == nullptr) continue;
    if (connection->exchange) leave(*connection, ClosedBy::shutdown);
    forget(*connection);
  }
  everybody_->end();
  for (const std::string& name : tests_used_) tests_.find(name)->second.session->end();
  listener_.socket.close();
  if (admin_) admin_->socket.close();
}

SessionTotals Loop::totals() const {
  SessionTotals totals = everybody_->totals();
  totals.add(retired_);
  for (const std::string& name : tests_used_)
    totals.add(tests_.find(name)->second.session->totals());
  return totals;
}

// Time

Duration Loop::scaled(Duration scenario) const {
  const double real = static_cast<double>(scenario.count()) / options_.session.speed;
  return Duration{std::llround(std::min(real, 4e18))};
}

void Loop::arm(Connection& connection, Duration due) {
  if (connection.timer <= due) return;
  connection.timer = due;
  timers_.push({.due = due, .id = connection.id});
}

void Loop::on_timeout(Connection& connection) {
  switch (connection.state) {
    case State::head:
      if (connection.input.empty()) return close(connection);
      return refuse(connection, 408, "the head of the request took too long");
    case State::body:
      return refuse(connection, 408, "the body of the request took too long");
    case State::replying:
    case State::draining:
    case State::lingering:
      return close(connection);
  }
}

// Connections

// Which model a connection is for shows only in its request: a connection can be refused when all
// models are.
void Loop::mind_the_door() {
  if (!admin_ || now_ < refusal_known_) return;
  const Session::Refusal refusal = everybody_->refusal(now_);
  refusal_known_ = refusal.until;
  if (refusal.is_total == is_refusing_) return;
  is_refusing_ = refusal.is_total;
  door_ = is_refusing_ ? stop_listening(listener_) : listen_again(listener_);
  if (!is_refusing_ && door_) poller_.add(listener_.socket.get(), EPOLLIN, listener_tag);
}

void Loop::watch_doors(bool watched) {
  doors_watched_ = watched;
  const std::uint32_t events = watched ? std::uint32_t{EPOLLIN} : std::uint32_t{0};
  if (!is_refusing_) poller_.change(listener_.socket.get(), events, listener_tag);
  if (admin_) poller_.change(admin_->socket.get(), events, admin_tag);
}

void Loop::accept_all(const Listener& listener) {
  for (int i = 0; i < most_accepted_at_once; ++i) {
    Descriptor socket(
        ::accept4(listener.socket.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket.is_open()) {
      const bool lacks_files = errno == EMFILE || errno == ENFILE;
      if (lacks_files) ++counts_.starved;
      // Somebody has to go before the next can come. If nobody can, asking again at once would only
      // keep the machine busy.
      if (lacks_files && evict()) continue;
      if (lacks_files) watch_doors(false);
      return;
    }
    ++counts_.connections;
    if (open_ >= ceiling_ && !evict()) {
      shed(std::move(socket));
    } else {
      Connection& connection = open(std::move(socket));
      connection.is_admin = &listener != &listener_;
      // Most clients have sent their request by now.
      receive(connection);
    }
  }
}

Connection& Loop::open(Descriptor socket) {
  const int yes = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  std::uint32_t slot = 0;
  if (free_slots_.empty()) {
    slot = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
  }
  slots_[slot] = std::make_unique<Connection>();
  Connection& connection = *slots_[slot];
  // Upper bits tell connections apart that have the same slot one after the other; they stay below
  // the tags of the poller.
  generation_ = (generation_ + 1) & 0x7FFFFFFF;
  connection.id = generation_ << 32U | slot;
  connection.socket = std::move(socket);
  connection.events = EPOLLIN | EPOLLRDHUP;
  ++open_;
  poller_.add(connection.socket.get(), connection.events, connection.id);
  await_request(connection);
  return connection;
}

void Loop::shed(Descriptor socket) {
  ++counts_.shed;
  if (open_ >= ceiling_ + most_shedding) return;
  refuse(open(std::move(socket)), 503,
         fmt::format("brownout serve has {} connections, which is all it takes; try again later",
                     ceiling_));
}

bool Loop::evict() {
  if (idle_.empty()) return false;
  Connection* oldest = find(idle_.front());
  ++counts_.evicted;
  close(*oldest);
  return true;
}

Connection* Loop::find(std::uint64_t id) {
  const auto slot = static_cast<std::uint32_t>(id);
  if (slot >= slots_.size()) return nullptr;
  Connection* connection = slots_[slot].get();
  return connection != nullptr && connection->id == id ? connection : nullptr;
}

void Loop::forget(Connection& connection) {
  set_idle(connection, false);
  const auto slot = static_cast<std::uint32_t>(connection.id);
  --open_;
  slots_[slot].reset();
  free_slots_.push_back(slot);
}

void Loop::close(Connection& connection) {
  if (connection.exchange) leave(connection, ClosedBy::client);
  forget(connection);
}

void Loop::set_idle(Connection& connection, bool idle) {
  if (connection.is_idle) idle_.erase(connection.idle);
  connection.is_idle = idle;
  if (idle) connection.idle = idle_.insert(idle_.end(), connection.id);
}

// Tells the poller what matters of a connection now.
void Loop::watch(Connection& connection) {
  std::uint32_t events = EPOLLRDHUP;
  if (connection.state != State::replying || connection.input.size() < most_ahead) {
    events |= EPOLLIN;
  }
  if (connection.unsent() > 0) events |= EPOLLOUT;
  if (events == connection.events) return;
  connection.events = events;
  poller_.change(connection.socket.get(), events, connection.id);
}

}  // namespace brownout::mock::http
