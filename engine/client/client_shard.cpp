#include "engine/client/client_shard.hpp"

#include <utility>

#include "engine/core/check.hpp"

namespace brownout::detail {
namespace {

constexpr JobName start_job{"call to start"};
constexpr JobName cancel_job{"call to cancel"};

}  // namespace

ClientShard::~ClientShard() {
  engine_.reset();
  while (first_ != nullptr) {
    ClientCall& call = *first_;
    remove(call);
    call.disconnect();
    call.discard();
  }
}

void ClientShard::set_up(std::unique_ptr<Transport> transport, std::shared_ptr<ReplyStore> store,
                         Observer& observer, std::shared_ptr<Pipeline> pipeline) {
  transport_ = std::move(transport);
  store_ = std::move(store);
  engine_ = std::make_unique<Engine>(runtime_, *transport_, *store_, observer, std::move(pipeline));
}

void ClientShard::shut_down() {
  const AsioRuntime::Turn turn(runtime_);
  shut_down_ = true;
  engine_.reset();
  while (first_ != nullptr) first_->end(Outcome::failure(OutcomeKind::cancelled), false);
}

void ClientShard::add(ClientCall& call) {
  call.next_ = first_;
  if (first_ != nullptr) first_->previous_ = &call;
  first_ = &call;
  if (calls_++ == 0) work_.emplace(runtime_.executor());
}

void ClientShard::remove(ClientCall& call) {
  (call.previous_ != nullptr ? call.previous_->next_ : first_) = call.next_;
  if (call.next_ != nullptr) call.next_->previous_ = call.previous_;
  call.call_ = nullptr;
}

ClientCall::CancelJob::CancelJob(ClientCall& call) : Timer(cancel_job), call_(call) {}

ClientCall::ClientCall(ClientShard& shard, Plan&& plan)
    : Timer(start_job),
      shard_(shard),
      plan_(std::move(plan)),
      deadline_(plan_.within == forever ? never : after(AsioRuntime::clock(), plan_.within)),
      cancel_job_(*this) {}

void ClientCall::launch() {
  AsioRuntime& runtime = shard_.runtime();
  if (!runtime.runs_here()) return runtime.post_from_anywhere(*this);
  const AsioRuntime::Turn turn(runtime);
  fire();
}

void ClientCall::fire() {
  shard_.add(*this);
  call_ = &shard_.engine().start(plan_.id, plan_.request, deadline_, *this);
}

// The runtime goes away with the call still in its inbox.
void ClientCall::drop() noexcept {
  disconnect();
  if (!shard_.tells_when_dropped()) return discard();
  deliver(Outcome::failure(OutcomeKind::cancelled), false);
}

void ClientCall::cancel() {
  const std::lock_guard lock(mutex_);
  if (over_ || std::exchange(cancel_asked_, true)) return;
  shard_.runtime().post_from_anywhere(cancel_job_);
}

void ClientCall::cancelled() {
  if (call_ == nullptr) return;
  shard_.engine().cancel(*call_);
  end(Outcome::failure(OutcomeKind::cancelled), false);
}

void ClientCall::on_call_end(CallId, Outcome&& outcome) {
  end(std::move(outcome), true);
}

// After this nobody posts a cancellation any more, and none is under way.
void ClientCall::disconnect() {
  if (!plan_.cancellable) return;
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  shard_.runtime().withdraw(cancel_job_);
}

// What the handler does at once, such as beginning the next call, comes before the count goes down:
// one call after the other keeps the executor's work as it is.
void ClientCall::end(Outcome&& outcome, bool at_once) {
  const ClientShard::Leaving leaving(shard_);
  shard_.remove(*this);
  disconnect();
  deliver(std::move(outcome), at_once);
}

}  // namespace brownout::detail
