#include "sim/kernel/context.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/detail/thread_context.hpp>
#include <boost/asio/detail/thread_info_base.hpp>

#include "engine/core/check.hpp"

namespace brownout::sim {
namespace {

constexpr std::uint64_t events_between_polls = 1024;

// Tells a broken check where the run stood.
class RunReport final : public CheckContext {
 public:
  explicit RunReport(const Context& context) : context_(context) {}
  std::string describe() const override { return context_.describe_recent(); }

 private:
  const Context& context_;
};

// Asio recycles the memory of coroutine frames, cancellation handlers and type-erased functions
// only on threads that one of its own schedulers announced; without this each of them is a malloc.
class AsioRecycling : private boost::asio::detail::thread_context {
 private:
  boost::asio::detail::thread_info_base memory_;
  thread_call_stack::context announced_{this, memory_};
};

// True while it lives; also when an event throws.
class Flag {
 public:
  explicit Flag(bool& flag) : flag_(flag) { flag_ = true; }
  Flag(const Flag&) = delete;
  Flag& operator=(const Flag&) = delete;
  ~Flag() { flag_ = false; }

 private:
  bool& flag_;
};

}  // namespace

std::string_view to_string(Stop stop) {
  switch (stop) {
    case Stop::idle:
      return "idle";
    case Stop::reached:
      return "reached";
    case Stop::livelock:
      return "livelock";
    case Stop::interrupted:
      return "interrupted";
  }
  return "?";
}

Context::Context(const Options& options)
    : queue_(options.ties, options.seed),
      starts_at_(options.starts_at),
      seed_(options.seed),
      limits_(options.limits),
      interrupt_(options.interrupt) {}

// Services first: handlers waiting in channels and strands come out of them and are destroyed or
// posted; then the queue, while the services' memory is still there for those who refer to it.
Context::~Context() {
  BROWNOUT_CHECK(!running_);
  shutdown();
  queue_.drop_all();
  destroy();
  queue_.drop_all();
}

Stop Context::run_until_idle() {
  return run(never - Duration{1});
}

Stop Context::run_until(Instant at) {
  BROWNOUT_CHECK(at >= now_ && at < never);
  const Stop stop = run(at);
  if (stop != Stop::idle) return stop;
  if (at > now_) {
    now_ = at;
    events_here_ = 0;
  }
  return queue_.next_due() == never ? Stop::idle : Stop::reached;
}

Stop Context::run(Instant limit) {
  BROWNOUT_CHECK(!running_);
  const Flag running(running_);
  const RunReport report(*this);
  const AsioRecycling recycling;
  next_poll_ = log_.events();
  for (;;) {
    if (log_.events() >= next_poll_ && interrupted_or_spent()) return Stop::interrupted;
    if (events_here_ > limits_.events_at_one_instant) return Stop::livelock;
    Timer* const timer = queue_.pop(limit);
    if (timer == nullptr) return Stop::idle;
    if (timer->due() != now_) {
      now_ = timer->due();
      events_here_ = 0;
    }
    ++events_here_;
    log_.record(now_, timer->name());
    timer->fire();
  }
}

bool Context::interrupted_or_spent() {
  if (log_.events() >= limits_.events) return true;
  if (interrupt_ != nullptr && interrupt_->load(std::memory_order_relaxed)) return true;
  next_poll_ = std::min(log_.events() + events_between_polls, limits_.events);
  return false;
}

std::string Context::describe_recent() const {
  return fmt::format("seed {}, virtual time {}, {} events, the last of them:\n{}", seed_,
                     format_duration(now_.time_since_epoch()), log_.events(),
                     log_.describe_recent());
}

std::string Context::describe_livelock() const {
  return fmt::format("livelock at {}: more than {} events at one instant, the last being {}",
                     format_duration(now_.time_since_epoch()), limits_.events_at_one_instant,
                     log_.describe_mix());
}

}  // namespace brownout::sim
