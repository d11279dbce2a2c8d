#include "engine/client/client.hpp"

#include <algorithm>
#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <condition_variable>
#include <mutex>

#include "engine/core/check.hpp"
#include "engine/pipeline/pipeline.hpp"
#include "engine/store/memory_store.hpp"

namespace brownout {
namespace {

namespace asio = boost::asio;

/// A call whose caller waits on its own stack.
class BlockingCall final : private detail::ClientCall {
 public:
  BlockingCall(detail::ClientShard& shard, Plan&& plan) : ClientCall(shard, std::move(plan)) {}

  Outcome wait() {
    launch();
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [this] { return outcome_.has_value(); });
    return std::move(*outcome_);
  }

 private:
  // Told under the lock: the waiter may be gone as soon as it can have it.
  void deliver(Outcome&& outcome, bool) override {
    const std::lock_guard lock(mutex_);
    outcome_ = std::move(outcome);
    ended_.notify_one();
  }
  void discard() noexcept override { deliver(Outcome::failure(OutcomeKind::cancelled), true); }

  std::mutex mutex_;
  std::condition_variable ended_;
  std::optional<Outcome> outcome_;
};

// Where the routes of a policy lead, in the order of Policy::routes().
struct Binding {
  std::vector<std::string> names;
  std::vector<TargetId> ids;
};

// An empty `targets` becomes what the policy leads to.
class Binder {
 public:
  Binder(std::vector<std::string>& targets, const std::map<std::string, std::string>& roles)
      : targets_(targets), may_add_(targets.empty()), roles_(roles) {}

  Result<Binding> bind(const Policy& policy) {
    Binding binding;
    Errors errors;
    for (const RouteSpec* route : policy.routes()) {
      const std::optional<TargetId> id = find(*route);
      if (!id) {
        std::string excerpt;
        if (policy.document) excerpt = policy.document->excerpt(route->span, "");
        errors.push_back({ErrorKind::invalid, complaint(*route), std::move(excerpt)});
        continue;
      }
      binding.names.push_back(targets_[*id]);
      binding.ids.push_back(*id);
    }
    if (!errors.empty()) return tl::unexpected(std::move(errors));
    return binding;
  }

 private:
  std::optional<TargetId> find(const RouteSpec& route) {
    if (const auto id = number_of(route.to)) return id;
    const auto role = roles_.find(route.role);
    return role == roles_.end() ? std::nullopt : number_of(role->second);
  }

  std::optional<TargetId> number_of(const std::string& name) {
    auto found = std::ranges::find(targets_, name);
    if (found == targets_.end()) {
      if (!may_add_ || name.empty() || targets_.size() == no_target) return std::nullopt;
      found = targets_.insert(found, name);
    }
    return static_cast<TargetId>(found - targets_.begin());
  }

  std::string complaint(const RouteSpec& route) const {
    std::string text = "route '" + route.name + "' leads to ";
    if (!route.to.empty()) text += "'" + route.to + "', which is not among the targets";
    if (!route.to.empty() && !route.role.empty()) text += ", and to ";
    if (!route.role.empty()) text += "role:" + route.role + ", which leads to none of them";
    return text;
  }

  std::vector<std::string>& targets_;
  const bool may_add_;
  const std::map<std::string, std::string>& roles_;
};

// A pipeline and who hears of its calls: gone together, with the last call.
struct Observed {
  Observed(const Policy& policy, const Binding& binding, std::uint64_t seed,
           const Pipeline* previous)
      : pipeline(policy, binding.names, binding.ids, seed, previous) {}

  std::shared_ptr<Observer> observer;  // outlives the pipeline
  Pipeline pipeline;
};

std::shared_ptr<Pipeline> pipeline_of(const std::shared_ptr<Observed>& observed) {
  return {observed, &observed->pipeline};
}

}  // namespace

struct Client::State {
  asio::any_io_executor executor;
  Duration deadline = forever;
  std::uint64_t seed = 0;
  std::vector<std::string> targets;
  std::map<std::string, std::string> roles;
  std::vector<std::shared_ptr<detail::ClientShard>> shards;
  std::atomic<CallId> calls = 0;
  MakeObserver make_observer;
  mutable std::mutex mutex;  // of what follows
  std::shared_ptr<Observed> newest;

  std::shared_ptr<Observed> build(const Policy& policy, const Binding& binding) const {
    const Pipeline* previous = newest ? &newest->pipeline : nullptr;
    auto observed = std::make_shared<Observed>(policy, binding, seed, previous);
    if (make_observer) observed->observer = make_observer(observed->pipeline);
    if (!observed->observer) observed->observer = std::make_shared<Observer>();
    return observed;
  }
};

MakeTransport function_transport(FunctionTransport::Function function) {
  return [function = std::move(function)](AsioRuntime& runtime,
                                          const std::vector<std::string>& targets) {
    return std::make_unique<FunctionTransport>(runtime, targets, function);
  };
}

Result<Client> Client::make(asio::any_io_executor executor, const Policy& policy,
                            const MakeTransport& make_transport, ClientOptions options) {
  BROWNOUT_CHECK(options.shards > 0);
  auto state = std::make_unique<State>();
  state->executor = std::move(executor);
  state->deadline = options.deadline;
  state->seed = options.seed.value_or(AsioRuntime::fresh_seed());
  state->targets = std::move(options.targets);
  state->roles = std::move(options.roles);
  const auto binding = Binder(state->targets, state->roles).bind(policy);
  if (!binding) return tl::unexpected(binding.error());
  state->make_observer = std::move(options.observer);
  state->newest = state->build(policy, *binding);

  if (!options.store) {
    options.store = [store = std::make_shared<MemoryStore>()](AsioRuntime&) { return store; };
  }
  const bool bare = options.executor_is_serial && options.shards == 1;
  for (std::size_t i = 0; i < options.shards; ++i) {
    asio::any_io_executor own = state->executor;
    if (!bare) own = asio::make_strand(own);
    auto shard = std::make_shared<detail::ClientShard>(std::move(own), state->seed);
    auto transport = make_transport(shard->runtime(), state->targets);
    shard->set_up(std::move(transport), options.store(shard->runtime()), *state->newest->observer,
                  pipeline_of(state->newest));
    state->shards.push_back(std::move(shard));
  }
  return Client(std::move(state));
}

Client::Client(std::unique_ptr<State> state) : state_(std::move(state)) {}

Client::Client(Client&& other) noexcept = default;

Client& Client::operator=(Client&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}

Client::~Client() {
  if (!state_) return;
  for (auto& shard : state_->shards) {
    const asio::any_io_executor executor = shard->runtime().executor();
    asio::post(executor, [last = std::move(shard)]() mutable {
      last->shut_down();
      last.reset();
    });
  }
}

Outcome Client::complete(Request request, Duration within) {
  detail::ClientShard& shard = next_shard();
  BROWNOUT_CHECK(!shard.runtime().runs_here());
  return BlockingCall(shard, plan(std::move(request), within)).wait();
}

Outcome Client::stream(Request request, Output output, Duration within) {
  detail::ClientShard& shard = next_shard();
  BROWNOUT_CHECK(!shard.runtime().runs_here());
  request.stream = true;
  detail::ClientCall::Plan what = plan(std::move(request), within);
  what.output = std::move(output);
  return BlockingCall(shard, std::move(what)).wait();
}

Result<void> Client::reload(const Policy& policy) {
  const auto binding = Binder(state_->targets, state_->roles).bind(policy);
  if (!binding) return tl::unexpected(binding.error());
  const std::lock_guard lock(state_->mutex);
  const auto newest = state_->newest = state_->build(policy, *binding);
  // Posted under the lock, so that every shard ends up with the same one of two that come at once.
  for (const auto& shard : state_->shards) {
    asio::post(shard->runtime().executor(), [shard, newest] {
      const AsioRuntime::Turn turn(shard->runtime());
      shard->engine().reload(pipeline_of(newest), newest->observer.get());
    });
  }
  return {};
}

std::shared_ptr<const Pipeline> Client::pipeline() const {
  const std::lock_guard lock(state_->mutex);
  return pipeline_of(state_->newest);
}

const std::vector<std::string>& Client::targets() const {
  return state_->targets;
}

asio::any_io_executor Client::get_executor() const {
  return state_->executor;
}

Duration Client::default_deadline() const {
  return state_->deadline;
}

// A caller on a shard's strand stays there, which spares both the way across threads.
detail::ClientShard& Client::next_shard() {
  const auto& shards = state_->shards;
  for (const auto& shard : shards) {
    if (shard->runtime().runs_here()) return *shard;
  }
  return *shards[state_->calls.load(std::memory_order_relaxed) % shards.size()];
}

detail::ClientCall::Plan Client::plan(Request&& request, Duration within) {
  return {.id = state_->calls.fetch_add(1, std::memory_order_relaxed),
          .request = std::move(request),
          .within = within};
}

}  // namespace brownout
