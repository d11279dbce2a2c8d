#include "engine/policy/cache.hpp"

namespace brownout {

bool is_fresh(const StoredReply& stored, Instant now, Duration ttl) {
  return now - stored.stored_at < ttl;
}

bool is_worth_storing(const Outcome& outcome) {
  return outcome.ok() && outcome.served == Served::live;
}

Outcome answer_from_cache(const StoredReply& stored) {
  Outcome outcome;
  outcome.served = Served::cached;
  outcome.reply = stored.reply;
  return outcome;
}

}  // namespace brownout
