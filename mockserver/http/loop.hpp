#pragma once

// What serves: one loop over all connections. loop.cpp has the loop, its timers and who may
// connect, loop_input.cpp how requests come in, loop_output.cpp how replies go out.

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "mockserver/http/admin.hpp"
#include "mockserver/http/connection.hpp"
#include "mockserver/http/request_head.hpp"
#include "mockserver/http/server.hpp"
#include "mockserver/http/session.hpp"
#include "mockserver/http/sockets.hpp"

namespace brownout::mock::http {

inline constexpr std::uint64_t listener_tag = Poller::wake_tag - 1;
inline constexpr std::uint64_t admin_tag = Poller::wake_tag - 2;
/// How long a client that was told goodbye may take to close.
inline constexpr Duration linger_time = std::chrono::seconds{2};
/// What a client may send ahead while its last request is answered.
inline constexpr std::size_t most_ahead = 64 * 1024;

/// Below, functions that take a connection may end it: whoever goes on with it afterwards asks
/// find() first.
class Loop {
 public:
  Loop(ServerOptions options, Listener listener, std::optional<Listener> admin);
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Errors: environment.
  Result<void> open();
  Result<void> run(const std::atomic<bool>* interrupt, Duration lasts);
  void stop();

  const Listener& listener() const { return listener_; }
  const Listener& admin_listener() const { return admin_ ? *admin_ : listener_; }
  const ServerCounts& counts() const { return counts_; }
  const Session& everybody() const { return *everybody_; }
  SessionTotals totals() const;
  Instant ended_at() const { return everybody_->now(now_); }

 private:
  struct Timer {
    Duration due;
    std::uint64_t id;
    bool operator>(const Timer& other) const { return due > other.due; }
  };
  struct Test {
    std::shared_ptr<Session> session;
    std::list<std::string>::iterator used;
    Duration used_at{};
  };

  // Connections
  void watch_doors(bool watched);
  void accept_all(const Listener& listener);
  void mind_the_door();
  Connection& open(Descriptor socket);
  void shed(Descriptor socket);
  bool evict();
  Connection* find(std::uint64_t id);
  void forget(Connection& connection);
  void close(Connection& connection);
  void set_idle(Connection& connection, bool idle);
  void watch(Connection& connection);

  // Input
  void on_event(Connection& connection, std::uint32_t events);
  void receive(Connection& connection);
  void on_end(Connection& connection);
  void read_request(Connection& connection);
  bool read_head(Connection& connection);
  void read_body(Connection& connection);
  void answer(Connection& connection);
  void ask(Connection& connection, Session& session);
  void refuse(Connection& connection, std::uint16_t status, std::string_view message);
  void reply_plainly(Connection& connection, const AdminReply& reply);
  Session* session_of(const RequestHead& head, AdminReply& why_not);
  bool make_room_for_a_test();

  // Output
  void play(Connection& connection);
  void deliver(Connection& connection);
  void deliver_gathered();
  static void note(Connection& connection, Duration sent);
  bool flush(Connection& connection);
  void end_reply(Connection& connection);
  void leave(Connection& connection, ClosedBy by);
  void begin_waiting(Exchange* exchange);
  void finish_output(Connection& connection);
  void await_request(Connection& connection);

  // Time
  Duration scaled(Duration scenario) const;
  void arm(Connection& connection, Duration due);
  void run_timers();
  void run_begun();
  void read_ahead();
  void sweep();
  void on_timeout(Connection& connection);
  void shut_down();

  ServerOptions options_;
  Listener listener_;
  std::optional<Listener> admin_;
  bool is_refusing_ = false;  // listener_ is bound, and does not listen
  bool doors_watched_ = true;
  Duration refusal_known_{};  // until when
  Result<void> door_;         // an error ends the loop
  Poller poller_;
  Duration now_;
  std::atomic<bool> stopping_{false};

  std::vector<std::unique_ptr<Connection>> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::uint64_t generation_ = 0;
  std::size_t open_ = 0;
  std::size_t ceiling_ = 0;
  std::list<std::uint64_t> idle_;  // connections without a whole request, the oldest first
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
  std::vector<std::uint64_t> begun_;  // connections whose request has left the queue of its model
  std::vector<std::uint64_t> ahead_;  // connections whose next request may be here already
  bool gathering_ = false;  // what is played is delivered together with others, a moment later
  std::vector<std::uint64_t> to_deliver_;
  std::vector<std::uint64_t> delivering_;
  Duration next_sweep_{};

  std::shared_ptr<Session> everybody_;
  std::unordered_map<std::string, Test> tests_;
  SessionTotals retired_;              // of tests that have made room for others
  std::list<std::string> tests_used_;  // the least recently used first
  HeadParser parser_;
  ServerCounts counts_;
  std::string buffer_;
};

}  // namespace brownout::mock::http
