#include <algorithm>
#include <cmath>

#include "mockserver/http/loop.hpp"

namespace brownout::mock::http {
namespace {

using State = Connection::State;
using wire::Ending;

// Replies are made no further ahead than this while their client takes nothing.
constexpr std::size_t most_unsent = 256 * 1024;

}  // namespace

// Makes what is due of a reply, and delivers it: at once, or with what other requests of the same
// turn of the loop get.
void Loop::play(Connection& connection) {
  Exchange& exchange = *connection.exchange;
  while (exchange.has_piece && connection.unsent() < most_unsent) {
    const Duration due = exchange.started_real + scaled(exchange.piece.at);
    if (due > now_) {
      arm(connection, due);
      break;
    }
    connection.output += exchange.piece.bytes;
    JournalEntry& entry = exchange.entry;
    entry.bytes += exchange.piece.bytes.size();
    entry.delivered_tokens = std::max(entry.delivered_tokens, exchange.piece.output_tokens);
    if (connection.fresh++ == 0) connection.first_due = due;
    connection.last_due = due;
    exchange.has_piece = exchange.reply->next(exchange.piece);
  }
  if (!exchange.has_piece && !connection.played) {
    const Duration ends = exchange.reply->ending == Ending::hang ? forever : exchange.reply->ends;
    const Duration due = ends == forever ? forever : exchange.started_real + scaled(ends);
    connection.played = due <= now_;
    if (!connection.played && due != forever) arm(connection, due);
  }
  if (!gathering_) return deliver(connection);
  to_deliver_.push_back(connection.id);
}

void Loop::deliver(Connection& connection) {
  const std::uint64_t id = connection.id;
  const bool flushed = flush(connection);
  if (find(id) == nullptr) return;
  if (connection.fresh > 0) note(connection, now_ = real_now());
  if (flushed && connection.played) end_reply(connection);
}

// Whoever wakes a client for every single reply pays for it more than for making the reply.
void Loop::deliver_gathered() {
  gathering_ = false;
  std::vector<std::uint64_t>& list = delivering_;
  list.swap(to_deliver_);
  for (const std::uint64_t id : list) {
    Connection* connection = find(id);
    if (connection != nullptr && connection->state == State::replying) deliver(*connection);
  }
  list.clear();
}

void Loop::note(Connection& connection, Duration sent) {
  Exchange& exchange = *connection.exchange;
  JournalEntry& entry = exchange.entry;
  // In scenario time, from the arrival.
  const auto told = [&](Duration real) {
    const Duration since = real - exchange.started_real;
    return exchange.started - exchange.arrived +
           Duration{std::llround(static_cast<double>(since.count()) * exchange.session->speed())};
  };
  if (entry.pieces == 0) {
    entry.first_scheduled = told(connection.first_due);
    entry.first_sent = told(sent);
  }
  entry.pieces += connection.fresh;
  entry.last_scheduled = told(connection.last_due);
  entry.last_sent = told(sent);
  entry.lateness = std::max(entry.lateness, sent - connection.first_due);
  connection.fresh = 0;
}

// Sends what can be sent. False when something is left, or the connection is gone.
bool Loop::flush(Connection& connection) {
  while (connection.unsent() > 0) {
    std::size_t moved = 0;
    const Moved result = send_some(connection.socket.get(), &connection.output[connection.sent],
                                   connection.unsent(), moved);
    if (result == Moved::ended) {
      close(connection);
      return false;
    }
    if (result == Moved::nothing_yet) {
      if (connection.sent > 0) {
        connection.output.erase(0, connection.sent);
        connection.sent = 0;
      }
      if (connection.timeout == forever) {
        connection.timeout = now_ + options_.limits.unread_time;
      }
      watch(connection);
      return false;
    }
    connection.sent += moved;
    if (connection.state == State::replying) connection.timeout = forever;
  }
  connection.output.clear();
  connection.sent = 0;
  if ((connection.events & EPOLLOUT) != 0) watch(connection);
  return true;
}

void Loop::end_reply(Connection& connection) {
  const std::unique_ptr<Exchange> exchange = std::move(connection.exchange);
  Ending ending = exchange->reply->ending;
  if (ending == Ending::keep_alive && !connection.head.keep_alive) ending = Ending::close;
  exchange->entry.closed_by = ending == Ending::reset   ? ClosedBy::server_reset
                              : ending == Ending::close ? ClosedBy::server
                                                        : ClosedBy::nobody;
  begin_waiting(exchange->session->finish(*exchange, now_));
  connection.ending = ending;
  connection.state = State::draining;
  finish_output(connection);
}

// The reply is broken off.
void Loop::leave(Connection& connection, ClosedBy by) {
  const std::unique_ptr<Exchange> exchange = std::move(connection.exchange);
  exchange->entry.closed_by = by;
  // As when one arrives: it was there until now, and the place that it leaves was not free before.
  now_ = real_now();
  begin_waiting(exchange->session->leave(*exchange, now_));
}

void Loop::begin_waiting(Exchange* exchange) {
  if (exchange != nullptr) begun_.push_back(exchange->connection);
}

// Everything that was to be said has been.
void Loop::finish_output(Connection& connection) {
  if (connection.state != State::draining) return;
  switch (connection.ending) {
    case Ending::keep_alive:
      await_request(connection);
      // What has come ahead is read from the loop, not from here: a thousand requests at once must
      // neither nest a thousand calls nor keep others waiting.
      if (!connection.input.empty()) {
        connection.timeout = now_ + options_.limits.head_time;
        ahead_.push_back(connection.id);
      }
      return;
    case Ending::reset:
      reset_on_close(connection.socket.get());
      return forget(connection);
    case Ending::close:
    case Ending::hang:
      // Closing with input unread would send RST, and the client might lose what it was told.
      send_fin(connection.socket.get());
      connection.state = State::lingering;
      connection.timeout = now_ + linger_time;
      connection.input.clear();
      return watch(connection);
  }
}

void Loop::await_request(Connection& connection) {
  connection.state = State::head;
  connection.scanned = 0;
  connection.timeout = now_ + options_.limits.idle_time;
  set_idle(connection, true);
  watch(connection);
}

}  // namespace brownout::mock::http
