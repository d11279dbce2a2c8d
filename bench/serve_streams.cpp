// How late tokens are when many streams run at once: opens streams against `brownout serve`, and
// compares the arrival of every token with when its scenario says it is due. Prints one line of
// JSON. Requests are sent evenly spread over one second.
//
//     serve_streams PORT STREAMS TOKENS TTFT_MS GAP_MS MODEL

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

struct Settings {
  std::uint16_t port = 0;
  std::size_t streams = 0;
  std::size_t tokens = 0;
  Milliseconds ttft{};
  Milliseconds gap{};
  std::string model;
};

struct Stream {
  int socket = -1;
  Clock::time_point asked{};
  std::string tail;  // what may be the beginning of a mark
  std::size_t tokens = 0;
  bool done = false;
};

// A frame that carries text, and the last one.
constexpr std::string_view token_mark = R"("delta":{"content":)";
constexpr std::string_view done_mark = "data: [DONE]";

std::size_t count(std::string_view text, std::string_view mark) {
  std::size_t found = 0;
  for (std::size_t at = text.find(mark); at != std::string_view::npos;
       at = text.find(mark, at + mark.size())) {
    ++found;
  }
  return found;
}

int connect_to(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return -1;
  return socket;
}

class Load {
 public:
  explicit Load(Settings settings) : settings_(std::move(settings)), epoll_(::epoll_create1(0)) {
    const std::string body = fmt::format(
        R"({{"model":"{}","stream":true,"messages":[{{"role":"user","content":"hi"}}]}})",
        settings_.model);
    request_ = fmt::format(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer k\r\n"
        "x-brownout-output-tokens: {}\r\ncontent-length: {}\r\n\r\n{}",
        settings_.tokens, body.size(), body);
    streams_.resize(settings_.streams);
  }

  int run() {
    for (std::size_t i = 0; i < streams_.size(); ++i) {
      streams_[i].socket = connect_to(settings_.port);
      if (streams_[i].socket < 0) return fmt::print(stderr, "cannot connect\n"), 1;
      epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, streams_[i].socket, &event);
    }
    const auto begun = Clock::now();
    const auto patience = settings_.ttft + settings_.gap * static_cast<double>(settings_.tokens) +
                          std::chrono::seconds{20};
    std::size_t asked = 0;
    while (done_ + lost_ < streams_.size() && Clock::now() - begun < patience) {
      const Milliseconds elapsed = Clock::now() - begun;
      const auto due =
          static_cast<std::size_t>(elapsed.count() / 1000.0 * static_cast<double>(streams_.size()));
      for (; asked < std::min(due, streams_.size()); ++asked) ask(streams_[asked]);
      receive(asked < streams_.size() ? 1 : 100);
    }
    print();
    return done_ == streams_.size() ? 0 : 1;
  }

 private:
  void ask(Stream& stream) {
    stream.asked = Clock::now();
    if (::send(stream.socket, request_.data(), request_.size(), MSG_NOSIGNAL) < 0) ++lost_;
  }

  void receive(int patience_ms) {
    std::array<epoll_event, 256> events;
    const int ready = ::epoll_wait(epoll_, events.data(), events.size(), patience_ms);
    for (int i = 0; i < ready; ++i) read(streams_[events[static_cast<std::size_t>(i)].data.u64]);
  }

  void read(Stream& stream) {
    const ssize_t size = ::recv(stream.socket, buffer_.data(), buffer_.size(), 0);
    const auto now = Clock::now();
    if (size <= 0) {
      ::epoll_ctl(epoll_, EPOLL_CTL_DEL, stream.socket, nullptr);
      if (!stream.done) ++lost_;
      return;
    }
    stream.tail.append(buffer_.data(), static_cast<std::size_t>(size));
    const std::size_t tokens = count(stream.tail, token_mark);
    for (std::size_t i = 0; i < tokens; ++i, ++stream.tokens) {
      const Milliseconds since = now - stream.asked;
      const auto k = static_cast<double>(stream.tokens);
      lateness_.push_back((since - settings_.ttft - settings_.gap * k).count());
    }
    if (!stream.done && stream.tail.find(done_mark) != std::string::npos) {
      stream.done = stream.tokens == settings_.tokens;
      stream.done ? ++done_ : ++lost_;
    }
    // Frames end with a line of their own: only what follows the last one can go on.
    const std::size_t end = stream.tail.rfind("\n\n");
    if (end != std::string::npos) stream.tail.erase(0, end + 2);
  }

  double quantile(double share) const {
    if (lateness_.empty()) return 0;
    const auto last = static_cast<double>(lateness_.size() - 1);
    return lateness_[static_cast<std::size_t>(last * share)];
  }

  void print() {
    std::sort(lateness_.begin(), lateness_.end());
    fmt::print(R"({{"streams":{},"complete":{},"tokens":{},)"
               R"("late_ms":{{"p50":{:.2f},"p99":{:.2f},"p999":{:.2f},"max":{:.2f}}}}})"
               "\n",
               streams_.size(), done_, lateness_.size(), quantile(0.5), quantile(0.99),
               quantile(0.999), quantile(1));
  }

  Settings settings_;
  int epoll_;
  std::string request_;
  std::vector<Stream> streams_;
  std::array<char, 65536> buffer_{};
  std::vector<double> lateness_;
  std::size_t done_ = 0;
  std::size_t lost_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const std::span arguments(argv, static_cast<std::size_t>(argc));
  if (argc != 7) {
    fmt::print(stderr, "usage: serve_streams PORT STREAMS TOKENS TTFT_MS GAP_MS MODEL\n");
    return 2;
  }
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  return Load({.port = static_cast<std::uint16_t>(std::atoi(arguments[1])),
               .streams = static_cast<std::size_t>(std::atoi(arguments[2])),
               .tokens = static_cast<std::size_t>(std::atoi(arguments[3])),
               .ttft = Milliseconds{std::atof(arguments[4])},
               .gap = Milliseconds{std::atof(arguments[5])},
               .model = arguments[6]})
      .run();
}
