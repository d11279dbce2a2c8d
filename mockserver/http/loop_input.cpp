#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "mockserver/http/loop.hpp"

namespace brownout::mock::http {
namespace {

using State = Connection::State;
using wire::Ending;

constexpr std::array<std::pair<std::uint16_t, std::string_view>, 10> phrases{{
    {200, "OK"},
    {201, "Created"},
    {400, "Bad Request"},
    {404, "Not Found"},
    {408, "Request Timeout"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {431, "Request Header Fields Too Large"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
}};

std::string_view phrase(std::uint16_t status) {
  const auto found = std::ranges::find(phrases, status, [](const auto& one) { return one.first; });
  return found != phrases.end() ? found->second : "Error";
}

std::string plain_answer(const AdminReply& reply, bool keep_alive) {
  return fmt::format(
      "HTTP/1.1 {} {}\r\ncontent-type: {}\r\ncontent-length: {}\r\nconnection: {}\r\n\r\n{}",
      reply.status, phrase(reply.status), reply.content_type, reply.body.size(),
      keep_alive ? "keep-alive" : "close", reply.body);
}

AdminReply problem(std::uint16_t status, std::string_view message) {
  AdminReply reply{.status = status};
  reply.body = R"({"error":{"message":)";
  append_json(message, reply.body);
  reply.body += R"(,"type":"invalid_request_error","param":null,"code":null}})";
  return reply;
}

}  // namespace

void Loop::on_event(Connection& connection, std::uint32_t events) {
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) return close(connection);
  if ((events & EPOLLOUT) != 0) {
    const std::uint64_t id = connection.id;
    if (connection.state == State::replying) {
      play(connection);
    } else if (flush(connection)) {
      finish_output(connection);
    }
    if (find(id) == nullptr) return;
  }
  if ((events & EPOLLIN) != 0) return receive(connection);
  if ((events & EPOLLRDHUP) != 0) on_end(connection);
}

void Loop::receive(Connection& connection) {
  std::size_t received = 0;
  switch (receive_some(connection.socket.get(), buffer_.data(), buffer_.size(), received)) {
    case Moved::nothing_yet:
      return;
    case Moved::ended:
      return on_end(connection);
    case Moved::some:
      break;
  }
  if (connection.state == State::lingering || connection.state == State::draining) return;
  connection.input.append(buffer_, 0, received);
  if (connection.state == State::replying) return watch(connection);
  if (connection.state == State::head && connection.input.size() == received) {
    connection.timeout = now_ + options_.limits.head_time;
  }
  read_request(connection);
}

// The client has closed its side. Who does so before the end of a reply does not want it any more.
void Loop::on_end(Connection& connection) {
  close(connection);
}

void Loop::read_request(Connection& connection) {
  if (connection.state == State::head && !read_head(connection)) return;
  if (connection.state == State::body) read_body(connection);
}

// False when no head is there in full, or the connection is beyond reading.
bool Loop::read_head(Connection& connection) {
  std::string& input = connection.input;
  // Empty lines before a request are of no account.
  const std::size_t begin = std::min(input.find_first_not_of("\r\n"), input.size());
  if (begin > 0) input.erase(0, begin);
  const std::size_t from = connection.scanned > 3 ? connection.scanned - 3 : 0;
  const std::size_t end = input.find("\r\n\r\n", from);
  if (std::min(end, input.size()) > options_.limits.head_bytes) {
    refuse(connection, 431, "the head of the request is too large");
    return false;
  }
  if (end == std::string::npos) {
    connection.scanned = input.size();
    return false;
  }
  const std::uint16_t status =
      parser_.parse(std::string_view(input).substr(0, end + 4), connection.head);
  input.erase(0, end + 4);
  connection.scanned = 0;
  if (status != 0) {
    refuse(connection, status,
           status == 414   ? "the target of the request is too long"
           : status == 431 ? "a line of the head is too long"
                           : "this is not HTTP/1.1");
    return false;
  }
  connection.continued = false;
  connection.timeout = now_ + options_.limits.body_time;
  connection.body.begin(connection.head, options_.limits.body_bytes);
  connection.state = State::body;
  return true;
}

void Loop::read_body(Connection& connection) {
  switch (connection.body.read(connection.input)) {
    case BodyReader::State::bad:
      return refuse(connection, connection.body.status(), connection.body.reason());
    case BodyReader::State::complete:
      return answer(connection);
    case BodyReader::State::more:
      break;
  }
  if (connection.continued || !same_letters(connection.head.header("expect"), "100-continue")) {
    return;
  }
  connection.continued = true;
  connection.output += "HTTP/1.1 100 Continue\r\n\r\n";
  if (flush(connection)) watch(connection);
}

void Loop::answer(Connection& connection) {
  // A turn can take a while, and this may have come since its beginning: a reply that is counted
  // from there would be early.
  now_ = real_now();
  set_idle(connection, false);
  connection.timeout = forever;
  AdminReply why_not;
  Session* const session = session_of(connection.head, why_not);
  if (session == nullptr) return reply_plainly(connection, why_not);
  const bool administers = admin_ ? connection.is_admin : is_admin(connection.head.path);
  if (!administers) return ask(connection, *session);
  const ServerState state{.scenario = options_.scenario,
                          .counts = counts_,
                          .connections = open_,
                          .sessions = tests_.size() + 1,
                          .is_refusing = is_refusing_};
  const AdminReply reply =
      administer(connection.head, connection.body.body(), *session, state, now_);
  // Before the client hears of it.
  refusal_known_ = Duration{0};
  mind_the_door();
  reply_plainly(connection, reply);
}

// An answer that is not the provider's.
void Loop::reply_plainly(Connection& connection, const AdminReply& reply) {
  connection.output += plain_answer(reply, connection.head.keep_alive);
  connection.ending = connection.head.keep_alive ? Ending::keep_alive : Ending::close;
  connection.state = State::draining;
  if (flush(connection)) finish_output(connection);
}

void Loop::ask(Connection& connection, Session& session) {
  ++counts_.requests;
  connection.exchange = std::make_unique<Exchange>();
  Exchange& exchange = *connection.exchange;
  exchange.connection = connection.id;
  wire::Target target;
  const std::string_view body = connection.body.body();
  exchange.request = wire::find_target(connection.head.method, connection.head.path, target)
                         ? read_api_request(connection.head, body, target, session.script())
                         : refuse_target(connection.head);
  session.arrive(exchange, connection.head, body, now_);
  connection.state = State::replying;
  connection.played = false;
  if (!exchange.waits) play(connection);
}

// A request that is none, or too much of one: whatever follows it cannot be understood either.
void Loop::refuse(Connection& connection, std::uint16_t status, std::string_view message) {
  ++counts_.malformed;
  set_idle(connection, false);
  connection.output += plain_answer(problem(status, message), false);
  connection.ending = Ending::close;
  connection.state = State::draining;
  connection.timeout = now_ + linger_time;
  if (flush(connection)) finish_output(connection);
}

// Null when there cannot be such a session now.
Session* Loop::session_of(const RequestHead& head, AdminReply& why_not) {
  std::string_view name = head.header("x-brownout-test");
  if (name.empty() && is_admin(head.path)) name = head.parameter("test");
  if (name.empty()) return everybody_.get();
  const auto found = tests_.find(std::string(name));
  if (found != tests_.end()) {
    Test& test = found->second;
    test.used_at = now_;
    tests_used_.splice(tests_used_.end(), tests_used_, test.used);
    return test.session.get();
  }
  const ServerLimits& limits = options_.limits;
  if (name.size() > limits.test_name_bytes) {
    why_not =
        problem(400, fmt::format("x-brownout-test has at most {} bytes", limits.test_name_bytes));
    return nullptr;
  }
  if (tests_.size() >= limits.tests && !make_room_for_a_test()) {
    why_not = problem(
        503, fmt::format("there are {} sessions of x-brownout-test, and all have been used lately; "
                         "give each test a name, not each request",
                         limits.tests));
    return nullptr;
  }
  SessionOptions options = options_.session;
  options.journal_lines = limits.test_journal_lines;
  options.known_calls = limits.test_known_calls;
  const auto used = tests_used_.insert(tests_used_.end(), std::string(name));
  auto session = std::make_shared<Session>(std::move(options), std::string(name), now_);
  return tests_.emplace(*used, Test{std::move(session), used, now_}).first->second.session.get();
}

bool Loop::make_room_for_a_test() {
  for (auto name = tests_used_.begin(); name != tests_used_.end(); ++name) {
    const auto test = tests_.find(*name);
    if (test->second.used_at + options_.limits.test_idle_time > now_) return false;
    if (test->second.session->under_way() > 0) continue;
    test->second.session->end();
    retired_.add(test->second.session->totals());
    tests_.erase(test);
    tests_used_.erase(name);
    return true;
  }
  return false;
}

}  // namespace brownout::mock::http
