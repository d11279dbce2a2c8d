#include "engine/store/redis_worker.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "engine/core/check.hpp"

namespace brownout {
namespace {

using State = RedisConnection::State;

// Threads inherit the mask: what is made in this scope hears no signals. The process's handlers run
// on its own threads, and writing to a connection the server has closed is an error like any other
// (hiredis writes without MSG_NOSIGNAL).
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

int make_wake_fd() {
  const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  BROWNOUT_CHECK(fd >= 0);
  return fd;
}

}  // namespace

RedisWorker::RedisWorker(const RedisOptions& options, std::string password,
                         std::function<void()> notify)
    : options_(options),
      notify_(std::move(notify)),
      wake_fd_(make_wake_fd()),
      connection_(options, std::move(password)),
      next_wait_(options.first_reconnect_wait) {
  const SignalsBlocked blocked;
  thread_ = std::jthread([this] { run(); });
}

RedisWorker::~RedisWorker() {
  {
    const std::lock_guard lock(mutex_);
    stops_ = true;
  }
  wake();
  thread_.join();
  close(wake_fd_);
}

bool RedisWorker::submit(RedisCommand& command) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    if (!open_) return false;
    first = submitted_.empty();
    submitted_.push(command);
  }
  if (first) wake();
  return true;
}

RedisCommands RedisWorker::take_answers() {
  const std::lock_guard lock(mutex_);
  notified_ = false;
  return std::exchange(answers_, {});
}

std::string RedisWorker::last_error() const {
  const std::lock_guard lock(mutex_);
  return last_error_;
}

void RedisWorker::wake() const {
  const std::uint64_t one = 1;
  // Fails only when the counter is full: then it is readable anyway.
  [[maybe_unused]] const auto written = write(wake_fd_, &one, sizeof one);
}

void RedisWorker::run() {
  for (;;) {
    const Time now = RedisConnection::Clock::now();
    connection_.check(now);
    note_state(now);
    if (!collect()) return;
    note_state(now);
    hand_back(connection_.take_answered());
    // Last: resolving a name may take long, and by now nobody waits for anything.
    if (connection_.state() == State::down && now >= connect_at_) connect(now);
    wait(RedisConnection::Clock::now());
  }
}

// False when the thread is to end.
bool RedisWorker::collect() {
  RedisCommands commands;
  {
    const std::lock_guard lock(mutex_);
    if (stops_) return false;
    commands = std::exchange(submitted_, {});
  }
  RedisCommands undone;
  while (!commands.empty()) {
    RedisCommand& command = commands.pop();
    if (connection_.state() == State::ready && !command.cancelled.load(std::memory_order_relaxed)) {
      connection_.send(command, RedisConnection::Clock::now());
    } else {
      command.fate = RedisFate::failed;
      undone.push(command);
    }
  }
  hand_back(undone);
  return true;
}

void RedisWorker::connect(Time now) {
  noted_ = State::connecting;
  connection_.begin(now);
  note_state(RedisConnection::Clock::now());
}

// Opens and closes the door for commands as the connection comes and goes.
void RedisWorker::note_state(Time now) {
  const State state = connection_.state();
  if (state == noted_) return;
  const State before = std::exchange(noted_, state);
  if (state == State::ready) {
    connected_at_ = now;
    connections_.fetch_add(1, std::memory_order_relaxed);
  }
  if (state == State::down) {
    if (before == State::ready) connections_lost_.fetch_add(1, std::memory_order_relaxed);
    // A server that lets us in and then says nothing is no better than none.
    const bool was_of_use =
        before == State::ready &&
        (connection_.has_answered() || now - connected_at_ >= options_.longest_reconnect_wait);
    if (was_of_use) next_wait_ = options_.first_reconnect_wait;
    connect_at_ = now + next_wait_;
    next_wait_ = std::min(2 * next_wait_, options_.longest_reconnect_wait);
  }
  connected_.store(state == State::ready, std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  open_ = state == State::ready;
  if (state == State::down) last_error_ = connection_.reason();
}

void RedisWorker::hand_back(RedisCommands answered) {
  if (answered.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    answers_.append(answered);
    if (std::exchange(notified_, true)) return;
  }
  notify_();
}

// Until something can be done: a command, an answer, or a time that has come.
void RedisWorker::wait(Time now) {
  const bool down = connection_.state() == State::down;
  const Time until = down ? connect_at_ : connection_.overdue();
  int timeout = -1;
  if (until != Time::max()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now).count();
    timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
  }
  pollfd polled[2] = {{wake_fd_, POLLIN, 0}, {-1, POLLIN, 0}};
  if (!down) {
    polled[1].fd = connection_.socket();
    if (connection_.wants_to_write()) polled[1].events |= POLLOUT;
  }
  if (poll(polled, 2, timeout) <= 0) return;
  if (polled[0].revents != 0) {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto drained = read(wake_fd_, &count, sizeof count);
  }
  const auto events = polled[1].revents;
  if (!down && events != 0) {
    const bool broken = (events & (POLLERR | POLLHUP | POLLNVAL)) != 0;
    connection_.progress(broken || (events & POLLIN) != 0, (events & POLLOUT) != 0);
  }
}

}  // namespace brownout
