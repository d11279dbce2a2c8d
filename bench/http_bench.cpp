// What a call over HTTP costs beside the least that its bytes cost: the same request and answer on
// a bare socket, by Asio, against the same server on a thread of its own. One call at a time, on a
// kept connection. Read the ratio, and the difference as the transport's own work.

#include <benchmark/benchmark.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

#include "engine/connections/connect.hpp"

namespace brownout {
namespace {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;

constexpr std::int64_t batch = 1'000;

const std::string reply_body =
    R"({"id":"c1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant",)"
    R"("content":")" +
    std::string(800, 'x') +
    R"("},"finish_reason":"stop"}],)"
    R"("usage":{"prompt_tokens":13,"completion_tokens":200,"total_tokens":213}})";
const std::string answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: " +
                           std::to_string(reply_body.size()) + "\r\n\r\n" + reply_body;

// Answers whatever ends in a brace, on one connection after the other.
class Server {
 public:
  Server() : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, any, length) != 0 || ::listen(listener_, 16) != 0 ||
        ::getsockname(listener_, any, &length) != 0) {
      std::exit(5);
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  std::uint16_t port() const { return port_; }

 private:
  void serve() {
    for (int socket; (socket = ::accept(listener_, nullptr, nullptr)) >= 0; ::close(socket)) {
      const int one = 1;
      ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      char buffer[16384];
      for (ssize_t got; (got = ::recv(socket, buffer, sizeof buffer, 0)) > 0;) {
        if (buffer[got - 1] == '}') ::send(socket, answer.data(), answer.size(), MSG_NOSIGNAL);
      }
    }
  }

  int listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

void report(benchmark::State& state) {
  using Counter = benchmark::Counter;
  state.counters["per_call"] =
      Counter(static_cast<double>(state.iterations() * batch), Counter::kIsRate | Counter::kInvert);
}

asio::awaitable<void> bare_calls(Tcp::socket& socket, const std::string& request) {
  std::string buffer(16384, '\0');
  for (std::int64_t i = 0; i < batch; ++i) {
    co_await asio::async_write(socket, asio::buffer(request), asio::deferred);
    for (std::size_t got = 0; got < answer.size();) {
      got += co_await socket.async_read_some(asio::buffer(buffer), asio::deferred);
    }
  }
}

void BareSocket(benchmark::State& state) {
  Server server;
  asio::io_context context(1);
  Tcp::socket socket(context);
  socket.connect({asio::ip::address_v4::loopback(), server.port()});
  socket.set_option(Tcp::no_delay(true));
  const std::string body =
      R"({"messages":[{"role":"user","content":"Good morning!"}],"model":"m"})";
  const std::string request =
      "POST /chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
      "accept: application/json, text/event-stream\r\nuser-agent: brownout\r\ncontent-length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body;
  for (auto _ : state) {
    asio::co_spawn(context, bare_calls(socket, request), asio::detached);
    context.run();
    context.restart();
  }
  report(state);
}
BENCHMARK(BareSocket)->UseRealTime();

asio::awaitable<void> http_calls(Client& client) {
  Request request{.input_tokens = 4};
  request.body = std::make_shared<const std::string>("Good morning!");
  for (std::int64_t i = 0; i < batch; ++i) {
    const Outcome outcome = co_await client.async_complete(request, asio::deferred);
    if (!outcome.ok()) std::exit(5);
  }
}

void HttpCall(benchmark::State& state) {
  Server server;
  asio::io_context context(1);
  const auto policy = parse_policy("bench", R"({ "kind": "policy", "version": 1, "name": "bench",
      "deadline": "60s", "to": "p/m", "pipeline": [ { "retry": { "max_attempts": 3 } },
      { "breaker": { "consecutive_failures": 5 } }, { "timeout": { "attempt": "30s" } } ] })");
  const auto connections = parse_connections(
      "bench", R"({ "kind": "connections", "version": 1, "providers": { "p": { "url":
      "http://127.0.0.1:)" +
                   std::to_string(server.port()) + "\" } } }");
  auto client =
      connect(context.get_executor(), *policy, *connections, {.executor_is_serial = true});
  for (auto _ : state) {
    asio::co_spawn(context, http_calls(*client), asio::detached);
    context.run();
    context.restart();
  }
  report(state);
  // Its connection is closed before the server waits for that.
  client = tl::unexpected(Errors{});
  context.run();
}
BENCHMARK(HttpCall)->UseRealTime();

}  // namespace
}  // namespace brownout
