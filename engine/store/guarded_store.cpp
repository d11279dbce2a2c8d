#include "engine/store/guarded_store.hpp"

#include "engine/core/check.hpp"

namespace brownout {
namespace {

constexpr JobName patience_job{"lookup patience"};

}  // namespace

// Asks in place of one lookup; its timer is the end of patience.
class GuardedStore::Waiter final : public Timer,
                                   public ReplyLookup,
                                   public WaitingLookup<GuardedStore::Waiter> {
 public:
  explicit Waiter(GuardedStore& guard) : Timer(patience_job), guard_(guard) {}

  void fire() override {
    GuardedStore& guard = guard_;
    guard.store_.cancel(*this);
    ReplyLookup& waits = guard.waiting_.remove(*this);
    guard.unanswered(*this);
    guard.recycle(*this);
    waits.on_lookup(nullptr);
  }

  void on_lookup(const StoredReply* found) override {
    GuardedStore& guard = guard_;
    ReplyLookup& waits = guard.waiting_.remove(*this);
    guard.answered();
    if (!asking) {
      guard.runtime_.disarm(*this);
      guard.recycle(*this);
    }
    waits.on_lookup(found);
  }

  bool asking = false;  // inside the store's get()

 private:
  GuardedStore& guard_;
};

GuardedStore::GuardedStore(Runtime& runtime, ReplyStore& store, const GuardOptions& options)
    : runtime_(runtime), store_(store), options_(options) {
  BROWNOUT_CHECK(options.patience > Duration{0} && options.skip_for >= Duration{0});
}

GuardedStore::~GuardedStore() {
  for (const auto& waiter : waiters_) {
    if (waiter->lookup == nullptr) continue;
    runtime_.disarm(*waiter);
    store_.cancel(*waiter);
  }
}

void GuardedStore::get(const CacheKey& key, ReplyLookup& lookup) {
  if (!may_ask()) {
    ++counts_.skipped;
    lookup.on_lookup(nullptr);
    return;
  }
  Waiter& waiter = acquire();
  waiting_.add(waiter, lookup);
  if (skips_) probe_ = &waiter;
  waiter.asking = true;
  store_.get(key, waiter);
  waiter.asking = false;
  if (waiter.lookup == nullptr) return recycle(waiter);
  runtime_.arm(waiter, after(runtime_.now(), options_.patience));
}

void GuardedStore::cancel(ReplyLookup& lookup) {
  Waiter* const waiter = waiting_.find(lookup);
  if (waiter == nullptr) return;
  waiting_.remove(*waiter);
  // Withdrawn, so it says nothing; if it was the probe, the next lookup is one.
  if (probe_ == waiter) probe_ = nullptr;
  store_.cancel(*waiter);
  if (waiter->asking) return;  // get() has it
  runtime_.disarm(*waiter);
  recycle(*waiter);
}

bool GuardedStore::may_ask() const {
  return !skips_ || (probe_ == nullptr && runtime_.now() >= skip_until_);
}

void GuardedStore::answered() {
  ++counts_.answered;
  unanswered_in_a_row_ = 0;
  skips_ = false;
  probe_ = nullptr;
}

void GuardedStore::unanswered(const Waiter& waiter) {
  ++counts_.unanswered;
  if (skips_ && probe_ != &waiter) return;  // asked before it began to skip: nothing new
  ++unanswered_in_a_row_;
  if (options_.skip_after == 0 || unanswered_in_a_row_ < options_.skip_after) return;
  skips_ = true;
  probe_ = nullptr;
  skip_until_ = after(runtime_.now(), options_.skip_for);
}

GuardedStore::Waiter& GuardedStore::acquire() {
  if (free_.empty()) {
    waiters_.push_back(std::make_unique<Waiter>(*this));
    free_.reserve(waiters_.size());
    return *waiters_.back();
  }
  Waiter& waiter = *free_.back();
  free_.pop_back();
  return waiter;
}

void GuardedStore::recycle(Waiter& waiter) {
  free_.push_back(&waiter);
}

}  // namespace brownout
