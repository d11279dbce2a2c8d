#include "engine/pipeline/shared_breaker.hpp"

#include <algorithm>

namespace brownout {

SharedBreaker::SharedBreaker(const BreakerOptions& options, BreakerId id, std::uint64_t seed,
                             std::string_view name)
    : options_(options), id_(id), seed_(seed), name_(name), mode_(options.mode) {
  add_entry(0);
  publish();
}

std::size_t SharedBreaker::index_of(std::uint32_t credential) const {
  const auto is_its = [&](const auto& entry) { return entry->credential == credential; };
  return static_cast<std::size_t>(std::ranges::find_if(entries_, is_its) - entries_.begin());
}

std::size_t SharedBreaker::find_or_add(std::uint32_t credential) {
  if (options_.scope != BreakerOptions::Scope::key || credential == 0) return 0;
  std::size_t index = index_of(credential);
  if (index == entries_.size()) index = add_entry(credential);
  entries_[index]->last_used = ++uses_;
  return index;
}

std::size_t SharedBreaker::add_entry(std::uint32_t credential) {
  const std::string entity =
      credential == 0 ? name_ : name_ + " of credential " + std::to_string(credential);
  const DrawFamily jitter(seed_, Purpose::breaker_jitter, entity);
  auto entry =
      std::make_unique<Entry>(Entry{Breaker(options_, jitter), credential, serials_++, uses_});
  entry->breaker.set_mode(mode_, Instant{});
  // The first takes none of the places.
  const std::size_t index = entries_.size() <= options_.keys ? entries_.size() : to_forget();
  if (index == entries_.size()) entries_.emplace_back();
  entries_[index] = std::move(entry);
  return index;
}

// A closed breaker knows the least. The first entry stays.
std::size_t SharedBreaker::to_forget() const {
  const auto worth = [&](std::size_t i) {
    return std::pair(entries_[i]->breaker.state() != BreakerState::closed, entries_[i]->last_used);
  };
  std::size_t least = 1;
  for (std::size_t i = 2; i < entries_.size(); ++i) {
    if (worth(i) < worth(least)) least = i;
  }
  return least;
}

// Null when that credential has been forgotten since.
SharedBreaker::Entry* SharedBreaker::entry_of(const Pass& pass) {
  Entry& entry = *entries_[pass.entry];
  return entry.serial == pass.serial ? &entry : nullptr;
}

void SharedBreaker::publish() {
  const Breaker& breaker = entries_.front()->breaker;
  const bool quiet = options_.scope != BreakerOptions::Scope::key && breaker.is_quiet();
  const std::uint64_t word = quiet ? std::uint64_t{breaker.generation()} * 2 + 1 : 0;
  quiet_.store(word, std::memory_order_release);
}

template <class Function>
SharedBreaker::Change SharedBreaker::change(Entry& entry, Instant now, Function function) {
  const BreakerState before = entry.breaker.state();
  const std::uint32_t transitions = entry.breaker.transitions();
  function(entry.breaker);
  publish();
  if (entry.breaker.transitions() == transitions) return std::nullopt;
  return BreakerEvent{
      id_, before, entry.breaker.state(), now, entry.breaker.transitions(), entry.credential};
}

std::optional<SharedBreaker::Pass> SharedBreaker::acquire(std::uint32_t credential, Instant now,
                                                          Observer& observer, Refusal& refusal) {
  if (const std::uint64_t word = quiet_.load(std::memory_order_acquire); word != 0) {
    Pass pass;
    pass.permit.generation = static_cast<std::uint32_t>(word >> 1);
    pass.permit.admitted = now;
    return pass;
  }
  std::optional<Pass> pass;
  Change changed;
  {
    const std::lock_guard lock(mutex_);
    const std::size_t index = find_or_add(credential);
    Entry& entry = *entries_[index];
    changed = change(entry, now, [&](Breaker& breaker) {
      const auto permit = breaker.acquire(now);
      if (permit) {
        pass = Pass{*permit, static_cast<std::uint32_t>(index), entry.serial};
        return;
      }
      const Duration wait = breaker.retry_after(now);
      refusal.retry_after = wait == forever ? std::nullopt : std::optional(wait);
    });
  }
  if (changed) observer.on_breaker(*changed);
  return pass;
}

void SharedBreaker::record(const Pass& pass, const Outcome& outcome, CallId call, Instant now,
                           Observer& observer) {
  const std::uint64_t own = std::uint64_t{pass.permit.generation} * 2 + 1;
  if (outcome.ok() && quiet_.load(std::memory_order_acquire) == own) return;
  const Finding finding = finding_of(options_, outcome);
  bool failed = false;
  Change changed;
  {
    const std::lock_guard lock(mutex_);
    Entry* entry = entry_of(pass);
    if (entry == nullptr) return;
    changed = change(*entry, now,
                     [&](Breaker& breaker) { failed = breaker.record(pass.permit, finding, now); });
  }
  if (failed) observer.on_breaker_failure({call, id_, now});
  if (changed) observer.on_breaker(*changed);
}

void SharedBreaker::release(const Pass& pass, Instant now, Observer& observer) {
  Change changed;
  {
    const std::lock_guard lock(mutex_);
    Entry* entry = entry_of(pass);
    if (entry == nullptr) return;
    changed = change(*entry, now, [&](Breaker& breaker) { breaker.release(pass.permit, now); });
  }
  if (changed) observer.on_breaker(*changed);
}

void SharedBreaker::forget(const Pass& pass, Instant now) {
  const std::lock_guard lock(mutex_);
  Entry* entry = entry_of(pass);
  if (entry == nullptr) return;
  entry->breaker.record(pass.permit, Verdict::refused, now);
}

void SharedBreaker::set_mode(Breaker::Mode mode, Instant now, Observer& observer) {
  change_all(now, observer, [&](Breaker& breaker) {
    mode_ = mode;
    breaker.set_mode(mode, now);
  });
}

void SharedBreaker::close(Instant now, Observer& observer) {
  change_all(now, observer, [&](Breaker& breaker) {
    mode_ = Breaker::Mode::automatic;
    breaker.close(now);
  });
}

template <class Function>
void SharedBreaker::change_all(Instant now, Observer& observer, Function function) {
  std::vector<BreakerEvent> changes;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& entry : entries_) {
      if (const Change changed = change(*entry, now, function)) changes.push_back(*changed);
    }
  }
  for (const BreakerEvent& changed : changes) observer.on_breaker(changed);
}

void SharedBreaker::adopt(const SharedBreaker& other) {
  if (&other == this) return;
  const std::scoped_lock lock(mutex_, other.mutex_);
  entries_.resize(1);
  entries_.front()->breaker.adopt(other.entries_.front()->breaker);
  mode_ = entries_.front()->breaker.mode();
  if (options_.scope == BreakerOptions::Scope::key) {
    for (std::size_t i = 1; i < other.entries_.size(); ++i) {
      const Entry& theirs = *other.entries_[i];
      uses_ = std::max(uses_, theirs.last_used);
      const std::size_t index = add_entry(theirs.credential);
      entries_[index]->breaker.adopt(theirs.breaker);
      entries_[index]->last_used = theirs.last_used;
    }
  }
  publish();
}

BreakerState SharedBreaker::state(std::uint32_t credential) const {
  const std::lock_guard lock(mutex_);
  const bool by_key = options_.scope == BreakerOptions::Scope::key;
  const std::size_t index = by_key ? index_of(credential) : 0;
  if (index < entries_.size()) return entries_[index]->breaker.state();
  return mode_ == Breaker::Mode::forced_open ? BreakerState::open : BreakerState::closed;
}

}  // namespace brownout
