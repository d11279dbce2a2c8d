#include "engine/runtime/asio_runtime.hpp"

#include <sys/random.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/require.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <cmath>
#include <utility>

namespace brownout {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

// More jobs than this in one go would keep the executor's other work waiting.
constexpr std::size_t most_jobs_at_once = 64;

template <class Executor>
bool runs_on(const asio::any_io_executor& executor) {
  return executor.target<Executor>()->running_in_this_thread();
}

template <class... Executors>
auto here_test(const asio::any_io_executor& executor) {
  bool (*test)(const asio::any_io_executor&) = nullptr;
  ((executor.target<Executors>() != nullptr ? void(test = &runs_on<Executors>) : void()), ...);
  return test;
}

}  // namespace

// Handlers run one at a time on the executor, and so does the runtime's end.
struct AsioRuntime::Link {
  explicit Link(AsioRuntime& owner) : runtime(&owner), timer(owner.executor_) {}

  AsioRuntime* runtime;
  asio::steady_timer timer;
};

AsioRuntime::Turn::Turn(AsioRuntime& runtime) : runtime_(runtime), outermost_(!runtime.in_turn_) {
  runtime.in_turn_ = true;
  runtime.now_ = runtime.read_clock();
}

AsioRuntime::Turn::~Turn() {
  if (outermost_) runtime_.end_turn();
}

AsioRuntime::AsioRuntime(asio::any_io_executor executor, std::uint64_t seed)
    : AsioRuntime(std::move(executor), seed, std::nullopt) {}

AsioRuntime::AsioRuntime(asio::any_io_executor executor, std::uint64_t seed, const Pace& pace)
    : AsioRuntime(std::move(executor), seed, std::optional(pace)) {
  BROWNOUT_CHECK(pace.speed > 0);
}

AsioRuntime::AsioRuntime(asio::any_io_executor executor, std::uint64_t seed,
                         std::optional<Pace> pace)
    : executor_(std::move(executor)),
      later_(asio::require(executor_, asio::execution::blocking.never)),
      here_(here_test<asio::io_context::executor_type, asio::thread_pool::executor_type,
                      asio::strand<asio::any_io_executor>,
                      asio::strand<asio::io_context::executor_type>,
                      asio::strand<asio::thread_pool::executor_type>>(executor_)),
      seed_(seed),
      pace_(pace),
      link_(std::make_shared<Link>(*this)) {}

AsioRuntime::~AsioRuntime() {
  link_->runtime = nullptr;
  link_->timer.cancel();
  inbox_.drop_all();
  queue_.drop_all();
}

Instant AsioRuntime::clock() {
  return Instant{Clock::now().time_since_epoch()};
}

SystemTime AsioRuntime::system_now() const {
  if (pace_) return pace_->calendar + (now() - Instant{});
  return std::chrono::system_clock::now();
}

Instant AsioRuntime::paced(Instant real) const {
  const auto passed = static_cast<double>((real - pace_->origin).count()) * pace_->speed;
  return Instant{Duration{std::llround(passed)}};
}

// The first instant of the machine at which paced() has come to `at`: a timer that rings any
// earlier would find nothing due.
Instant AsioRuntime::real(Instant at) const {
  constexpr double most = 4e18;  // 126 years
  const auto passed = static_cast<double>((at - Instant{}).count()) / pace_->speed;
  Instant found = after(pace_->origin, Duration{std::llround(std::min(passed, most))});
  while (passed < most && paced(found) < at) ++found;
  return found;
}

std::uint64_t AsioRuntime::fresh_seed() {
  std::uint64_t seed = 0;
  // Eight bytes are never given in part; before the kernel has any entropy, the clock must do.
  if (getrandom(&seed, sizeof seed, 0) != sizeof seed) {
    seed = static_cast<std::uint64_t>(clock().time_since_epoch().count());
  }
  return seed;
}

void AsioRuntime::arm(Timer& timer, Instant at) {
  if (!in_turn_) {
    const Turn turn(*this);
    return arm(timer, at);
  }
  if (at <= now_) {
    at = now_;
    ++due_at_once_;
  } else {
    earliest_ = std::min(earliest_, at);
  }
  queue_.arm(timer, at);
}

void AsioRuntime::post_from_anywhere(Timer& job) {
  if (inbox_.add(job)) wake();
}

void AsioRuntime::withdraw(Timer& job) {
  if (!inbox_.remove(job)) queue_.disarm(job);
}

void AsioRuntime::wake() {
  later_.execute([link = link_] {
    if (link->runtime != nullptr) link->runtime->woken();
  });
}

void AsioRuntime::woken() {
  wake_posted_ = false;
  run_due();
}

void AsioRuntime::rung() {
  const Turn turn(*this);
  // Else this is the late ring of a timer that has been set anew.
  if (timer_due_ <= now_) timer_due_ = never;
  run_due();
}

void AsioRuntime::run_due() {
  const Turn turn(*this);
  due_at_once_ += inbox_.move_to(queue_, now_);
  for (std::size_t jobs = 0; jobs < most_jobs_at_once; ++jobs) {
    const bool time_has_come = earliest_ <= now_;
    if (due_at_once_ == 0 && !time_has_come) return;
    Timer* const timer = queue_.pop(now_);
    if (timer == nullptr) {
      due_at_once_ = 0;
      earliest_ = queue_.next_due();
      return;
    }
    if (!time_has_come) --due_at_once_;
    timer->fire();
    now_ = read_clock();
  }
}

// The clock may have moved on since the last look into the queue, but then something still rings:
// either the wake-up posted here or the timer.
void AsioRuntime::end_turn() {
  in_turn_ = false;
  if (queue_.empty()) {
    due_at_once_ = 0;
    earliest_ = never;
    if (timer_due_ != never) {
      timer_due_ = never;
      link_->timer.cancel();
    }
    return;
  }
  if (due_at_once_ > 0 || earliest_ <= now_) {
    if (!std::exchange(wake_posted_, true)) wake();
  } else if (earliest_ < timer_due_) {
    set_timer(earliest_);
  }
}

void AsioRuntime::set_timer(Instant at) {
  timer_due_ = at;
  const Instant rings = pace_ ? real(at) : at;
  link_->timer.expires_at(Clock::time_point(rings.time_since_epoch()));
  link_->timer.async_wait([link = link_](const boost::system::error_code& error) {
    if (!error && link->runtime != nullptr) link->runtime->rung();
  });
}

}  // namespace brownout
