#include "engine/transport/function_transport.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>

#include "engine/core/check.hpp"

namespace brownout {
namespace {

constexpr JobName limit_job{"attempt limit"};
constexpr JobName news_job{"attempt news"};

}  // namespace

// One attempt. Its transport holds it until it ends, its completions for as long as they like.
class FunctionTransport::Completion::Flight final : private Timer {
 public:
  Flight(FunctionTransport& transport, const Attempt& attempt, AttemptListener& listener)
      : Timer(limit_job),
        transport_(transport),
        listener_(listener),
        limits_(attempt.limits),
        stream_(attempt.request->stream),
        news_(*this),
        runtime_(&transport.runtime_) {}

  // On the runtime's thread.
  void begin(std::shared_ptr<Flight> self);
  Outcome cut();
  void set_cancel(std::function<void()> cancel) {
    if (self_ != nullptr) cancel_ = std::move(cancel);
  }
  Flight* next() const { return next_; }

  // On any thread.
  void tell_end(Outcome&& outcome);
  void tell_output(std::string_view text);
  void add_handle() { handles_.fetch_add(1, std::memory_order_relaxed); }
  void drop_handle() {
    if (handles_.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
    tell_end(Outcome::failure(OutcomeKind::connection));
  }

 private:
  // Brings what other threads told to the runtime's.
  class News final : public Timer {
   public:
    explicit News(Flight& flight) : Timer(news_job), flight_(flight) {}

   private:
    void fire() override { flight_.hear(); }
    Flight& flight_;
  };

  void fire() override;
  void hear();
  void hear_output(std::string_view text);
  void await_more(Duration limit);
  std::shared_ptr<Flight> leave();
  void post();

  FunctionTransport& transport_;
  AttemptListener& listener_;
  const Limits limits_;
  const bool stream_;
  std::function<void()> cancel_;
  bool committed_ = false;
  Instant first_output_ = never;

  // In the transport's list, where it is held.
  std::shared_ptr<Flight> self_;
  Flight* previous_ = nullptr;
  Flight* next_ = nullptr;

  std::atomic<std::uint32_t> handles_ = 0;
  News news_;

  std::mutex mutex_;   // of what follows
  Runtime* runtime_;   // null once the attempt has ended
  bool told_ = false;  // and not heard yet
  bool output_ = false;
  std::string text_;  // of it
  bool over_ = false;
  Outcome outcome_;
};

void FunctionTransport::Completion::Flight::begin(std::shared_ptr<Flight> self) {
  self_ = std::move(self);
  next_ = transport_.first_;
  if (next_ != nullptr) next_->previous_ = this;
  transport_.first_ = this;
  ++transport_.in_flight_;
  await_more(stream_ ? limits_.first_token : forever);
}

void FunctionTransport::Completion::Flight::await_more(Duration limit) {
  Runtime& runtime = transport_.runtime_;
  const Instant until = std::min(limits_.end, after(runtime.now(), limit));
  runtime.disarm(*this);
  if (until != never) runtime.arm(*this, until);
}

// After this nobody posts the news any more, and they are not under way.
std::shared_ptr<FunctionTransport::Completion::Flight>
FunctionTransport::Completion::Flight::leave() {
  {
    const std::lock_guard lock(mutex_);
    runtime_ = nullptr;
  }
  transport_.runtime_.withdraw(news_);
  transport_.runtime_.disarm(*this);
  (previous_ != nullptr ? previous_->next_ : transport_.first_) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
  --transport_.in_flight_;
  return std::move(self_);
}

Outcome FunctionTransport::Completion::Flight::cut() {
  const auto self = leave();
  const auto cancel = std::exchange(cancel_, nullptr);
  Outcome outcome = Outcome::failure(OutcomeKind::cancelled);
  outcome.committed = committed_;
  outcome.first_output = first_output_;
  if (cancel) cancel();
  return outcome;
}

void FunctionTransport::Completion::Flight::fire() {
  const auto self = self_;
  AttemptListener& listener = listener_;
  Outcome outcome = cut();
  outcome.kind = OutcomeKind::timed_out;
  listener.on_end(std::move(outcome));
}

void FunctionTransport::Completion::Flight::tell_end(Outcome&& outcome) {
  const std::lock_guard lock(mutex_);
  if (runtime_ == nullptr || over_) return;
  over_ = true;
  outcome_ = std::move(outcome);
  post();
}

void FunctionTransport::Completion::Flight::tell_output(std::string_view text) {
  if (!stream_) return;
  const std::lock_guard lock(mutex_);
  if (runtime_ == nullptr || over_) return;
  output_ = true;
  if (!limits_.hold_output) text_ += text;
  post();
}

void FunctionTransport::Completion::Flight::post() {
  if (!std::exchange(told_, true)) runtime_->post_from_anywhere(news_);
}

void FunctionTransport::Completion::Flight::hear() {
  const auto self = self_;
  bool output = false;
  bool over = false;
  std::string text;
  {
    const std::lock_guard lock(mutex_);
    told_ = false;
    text.swap(text_);
    output = std::exchange(output_, false);
    over = over_;
  }
  if (output) hear_output(text);
  // The listener may have cut it.
  if (!over || self_ == nullptr) return;
  leave();
  cancel_ = nullptr;
  outcome_.committed = committed_;
  if (first_output_ != never) outcome_.first_output = first_output_;
  listener_.on_end(std::move(outcome_));
}

void FunctionTransport::Completion::Flight::hear_output(std::string_view text) {
  const bool is_first = first_output_ == never;
  if (is_first) first_output_ = transport_.runtime_.now();
  await_more(limits_.idle);
  if (limits_.hold_output) return;
  committed_ = true;
  if (is_first && limits_.tell_first_output) listener_.on_first_output();
  if (self_ != nullptr && !text.empty()) listener_.on_output(text);
}

FunctionTransport::Completion::Completion(std::shared_ptr<Flight> flight)
    : flight_(std::move(flight)) {
  flight_->add_handle();
}

FunctionTransport::Completion::Completion(const Completion& other) : flight_(other.flight_) {
  if (flight_) flight_->add_handle();
}

FunctionTransport::Completion& FunctionTransport::Completion::operator=(Completion other) noexcept {
  std::swap(flight_, other.flight_);
  return *this;
}

FunctionTransport::Completion::~Completion() {
  if (flight_) flight_->drop_handle();
}

void FunctionTransport::Completion::operator()(Outcome outcome) const {
  flight_->tell_end(std::move(outcome));
}

void FunctionTransport::Completion::output(std::string_view text) const {
  flight_->tell_output(text);
}

void FunctionTransport::Completion::on_cancel(std::function<void()> cancel) const {
  flight_->set_cancel(std::move(cancel));
}

FunctionTransport::FunctionTransport(Runtime& runtime, std::vector<std::string> targets,
                                     Function function)
    : runtime_(runtime), targets_(std::move(targets)), function_(std::move(function)) {}

FunctionTransport::~FunctionTransport() {
  while (first_ != nullptr) first_->cut();
}

Transport::Handle FunctionTransport::start(const Attempt& attempt, AttemptListener& listener) {
  BROWNOUT_CHECK(attempt.target < targets_.size());
  auto flight = std::make_shared<Flight>(*this, attempt, listener);
  flight->begin(flight);
  const Completion done(flight);
  try {
    function_(attempt, targets_[attempt.target], done);
  } catch (...) {
    done(Outcome::failure(OutcomeKind::connection));
  }
  return Handle{reinterpret_cast<std::uintptr_t>(flight.get())};
}

Outcome FunctionTransport::detach(Handle handle) {
  return reinterpret_cast<Flight*>(handle)->cut();
}

}  // namespace brownout
