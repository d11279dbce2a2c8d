#include "sim/caller.hpp"

#include <algorithm>
#include <utility>

namespace brownout::sim {
namespace {

constexpr JobName arrival_job{"arrival"};
constexpr JobName think_job{"think"};
constexpr JobName cancel_job{"cancel"};

}  // namespace

// A request under way and who is told of its end. The timer is the caller's patience.
class Caller::Slot final : public CallListener, public Timer {
 public:
  explicit Slot(Caller& caller, Client* client = nullptr)
      : Timer(cancel_job), caller_(caller), client_(client) {}

  void leave_after(Duration patience, Call& call) {
    call_ = &call;
    if (patience < forever) caller_.runtime_.arm(*this, after(caller_.runtime_.now(), patience));
  }

  Request request;

 private:
  void on_call_end(CallId, Outcome&&) override;
  void fire() override;
  void call_over();

  Caller& caller_;
  Client* client_;
  Call* call_ = nullptr;
};

class Caller::Arrivals final : public Timer {
 public:
  explicit Arrivals(Caller& caller) : Timer(arrival_job), caller_(caller) {}

  void arm_next() {
    due_next_ = caller_.workload_.arrival(number_, due_next_);
    if (due_next_ < caller_.ends_) caller_.runtime_.arm(*this, due_next_);
  }

 private:
  void fire() override {
    caller_.start_call(number_++, caller_.acquire());
    arm_next();
  }

  Caller& caller_;
  std::uint64_t number_ = 0;
  Instant due_next_{};
};

class Caller::Client final : public Timer {
 public:
  Client(Caller& caller, std::uint64_t first_number)
      : Timer(think_job), caller_(caller), slot_(caller, this), number_(first_number) {}

  void think() {
    const Instant at = after(caller_.runtime_.now(), caller_.workload_.think(number_));
    if (at < caller_.ends_) caller_.runtime_.arm(*this, at);
  }

  Timer& slot() { return slot_; }

  void call_ended() {
    number_ += caller_.clients_.size();
    think();
  }

 private:
  void fire() override { caller_.start_call(number_, slot_); }

  Caller& caller_;
  Slot slot_;
  std::uint64_t number_;
};

void Caller::Slot::on_call_end(CallId, Outcome&&) {
  caller_.runtime_.disarm(*this);
  call_over();
}

void Caller::Slot::fire() {
  caller_.engine_.cancel(*call_);
  call_over();
}

void Caller::Slot::call_over() {
  if (client_ != nullptr) return client_->call_ended();
  caller_.free_.push_back(this);
}

Caller::Caller(Runtime& runtime, Engine& engine, const Workload& workload, Instant ends,
               SharedText body)
    : runtime_(runtime), engine_(engine), workload_(workload), ends_(ends), body_(std::move(body)) {
  for (std::uint32_t i = 0; i < workload.spec().clients; ++i) {
    clients_.push_back(std::make_unique<Client>(*this, i));
  }
  if (clients_.empty()) arrivals_ = std::make_unique<Arrivals>(*this);
}

Caller::~Caller() {
  if (arrivals_) runtime_.disarm(*arrivals_);
  for (const auto& client : clients_) {
    runtime_.disarm(*client);
    runtime_.disarm(client->slot());
  }
  for (const auto& slot : slots_) runtime_.disarm(*slot);
}

void Caller::begin() {
  if (arrivals_) arrivals_->arm_next();
  for (const auto& client : clients_) client->think();
}

bool Caller::has_more() const {
  const auto waits = [](const auto& client) { return client->armed(); };
  return arrivals_ ? arrivals_->armed() : std::ranges::any_of(clients_, waits);
}

void Caller::start_call(std::uint64_t number, Slot& slot) {
  const CallShape shape = workload_.shape(number);
  slot.request = shape.request;
  slot.request.tag = shape.output_tokens;
  slot.request.body = body_;
  const Instant deadline = after(runtime_.now(), workload_.spec().deadline);
  Call& call = engine_.start(number, slot.request, deadline, slot);
  slot.leave_after(shape.patience, call);
}

Caller::Slot& Caller::acquire() {
  if (free_.empty()) {
    slots_.push_back(std::make_unique<Slot>(*this));
    return *slots_.back();
  }
  Slot& slot = *free_.back();
  free_.pop_back();
  return slot;
}

}  // namespace brownout::sim
