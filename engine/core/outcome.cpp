#include "engine/core/outcome.hpp"

#include <array>

#include "engine/core/check.hpp"

namespace brownout {
namespace {

struct KindFacts {
  std::string_view name;
  ErrorClass error_class;
  Blame blame;
};

using enum ErrorClass;

// One row per enumerator, in order. This table is the classification; docs/reference/outcomes.md
// gives the reasons and a test compares the two.
constexpr std::array<KindFacts, outcome_kind_count> kind_facts{{
    {"success", non_retryable, Blame::neutral},
    {"rate_limited", retryable, Blame::neutral},
    {"slow_down", retryable, Blame::neutral},
    {"request_too_large", non_retryable, Blame::neutral},
    {"quota_exhausted", critical, Blame::provider},
    {"daily_limited", non_retryable, Blame::provider},
    {"overloaded", retryable, Blame::provider},
    {"server_error", retryable, Blame::provider},
    {"bad_gateway", retryable, Blame::provider},
    {"connection", retryable, Blame::provider},
    {"timed_out", retryable, Blame::provider},
    {"malformed_reply", retryable, Blame::provider},
    {"stream_truncated", retryable, Blame::provider},
    {"authentication", critical, Blame::neutral},
    {"permission", critical, Blame::neutral},
    {"not_found", non_retryable, Blame::neutral},
    {"context_length", non_retryable, Blame::neutral},
    {"content_policy", non_retryable, Blame::neutral},
    {"invalid_request", non_retryable, Blame::neutral},
    {"breaker_open", non_retryable, Blame::neutral},
    {"cancelled", non_retryable, Blame::neutral},
    {"deadline_exceeded", non_retryable, Blame::neutral},
    {"throttled", non_retryable, Blame::neutral},
    {"bulkhead_full", non_retryable, Blame::neutral},
    {"client_rate_limited", non_retryable, Blame::neutral},
}};

const KindFacts& facts(OutcomeKind kind) {
  return kind_facts[static_cast<std::size_t>(kind)];
}

template <class Function>
void for_each_failure(Function function) {
  for (std::size_t i = 1; i < outcome_kind_count; ++i) function(static_cast<OutcomeKind>(i));
}

}  // namespace

std::string_view to_string(OutcomeKind kind) {
  return facts(kind).name;
}

std::optional<OutcomeKind> parse_outcome_kind(std::string_view text) {
  for (std::size_t i = 0; i < outcome_kind_count; ++i) {
    if (kind_facts[i].name == text) return static_cast<OutcomeKind>(i);
  }
  return std::nullopt;
}

bool is_own_refusal(OutcomeKind kind) {
  switch (kind) {
    case OutcomeKind::breaker_open:
    case OutcomeKind::throttled:
    case OutcomeKind::bulkhead_full:
    case OutcomeKind::client_rate_limited:
      return true;
    case OutcomeKind::success:
    case OutcomeKind::rate_limited:
    case OutcomeKind::slow_down:
    case OutcomeKind::request_too_large:
    case OutcomeKind::quota_exhausted:
    case OutcomeKind::daily_limited:
    case OutcomeKind::overloaded:
    case OutcomeKind::server_error:
    case OutcomeKind::bad_gateway:
    case OutcomeKind::connection:
    case OutcomeKind::timed_out:
    case OutcomeKind::malformed_reply:
    case OutcomeKind::stream_truncated:
    case OutcomeKind::authentication:
    case OutcomeKind::permission:
    case OutcomeKind::not_found:
    case OutcomeKind::context_length:
    case OutcomeKind::content_policy:
    case OutcomeKind::invalid_request:
    case OutcomeKind::cancelled:
    case OutcomeKind::deadline_exceeded:
      return false;
  }
  return false;
}

bool is_own_refusal(const Outcome& outcome) {
  return outcome.refused || is_own_refusal(outcome.kind);
}

ErrorClass classify(OutcomeKind kind) {
  BROWNOUT_CHECK(kind != OutcomeKind::success);
  return facts(kind).error_class;
}

std::string_view to_string(ErrorClass error_class) {
  switch (error_class) {
    case retryable:
      return "retryable";
    case non_retryable:
      return "non_retryable";
    case critical:
      return "critical";
  }
  return "";
}

Blame blame(OutcomeKind kind) {
  return facts(kind).blame;
}

std::string_view to_string(Served served) {
  switch (served) {
    case Served::nothing:
      return "nothing";
    case Served::live:
      return "live";
    case Served::shared:
      return "shared";
    case Served::cached:
      return "cached";
    case Served::fallback:
      return "default";
    case Served::stale:
      return "stale";
  }
  return "";
}

std::string_view to_string(CallEnd end) {
  switch (end) {
    case CallEnd::success:
      return "success";
    case CallEnd::cached:
      return "cached";
    case CallEnd::degraded:
      return "degraded";
    case CallEnd::failed:
      return "failed";
  }
  return "";
}

CallEnd end_of(const Outcome& outcome) {
  switch (outcome.served) {
    case Served::nothing:
      return CallEnd::failed;
    case Served::live:
      return CallEnd::success;
    case Served::shared:
      return CallEnd::success;
    case Served::cached:
      return CallEnd::cached;
    case Served::fallback:
      return CallEnd::degraded;
    case Served::stale:
      return CallEnd::degraded;
  }
  return CallEnd::failed;
}

OutcomeSet OutcomeSet::any() {
  OutcomeSet set;
  for_each_failure([&](OutcomeKind kind) { set.add(kind); });
  return set;
}

OutcomeSet OutcomeSet::of(std::initializer_list<OutcomeKind> kinds) {
  OutcomeSet set;
  for (const OutcomeKind kind : kinds) set.add(kind);
  return set;
}

OutcomeSet OutcomeSet::of(ErrorClass error_class) {
  OutcomeSet set;
  for_each_failure([&](OutcomeKind kind) {
    if (classify(kind) == error_class) set.add(kind);
  });
  return set;
}

OutcomeSet OutcomeSet::blamed_on_provider() {
  OutcomeSet set;
  for_each_failure([&](OutcomeKind kind) {
    if (blame(kind) == Blame::provider) set.add(kind);
  });
  return set;
}

OutcomeSet& OutcomeSet::add(OutcomeKind kind) {
  BROWNOUT_CHECK(kind != OutcomeKind::success);
  kinds_.set(static_cast<std::size_t>(kind));
  return *this;
}

OutcomeSet& OutcomeSet::add(const OutcomeSet& other) {
  kinds_ |= other.kinds_;
  statuses_ |= other.statuses_;
  return *this;
}

OutcomeSet& OutcomeSet::add_status(std::uint16_t first, std::uint16_t last) {
  BROWNOUT_CHECK(first <= last && last < statuses_.size());
  for (std::size_t status = first; status <= last; ++status) statuses_.set(status);
  return *this;
}

bool OutcomeSet::contains(const Outcome& outcome) const {
  return contains(outcome.kind) || (outcome.status < statuses_.size() && statuses_[outcome.status]);
}

std::string OutcomeSet::to_string() const {
  if (kinds_ == any().kinds_) return "any";
  std::string text;
  const auto append = [&](std::string_view part) {
    if (!text.empty()) text += ", ";
    text += part;
  };
  for_each_failure([&](OutcomeKind kind) {
    if (contains(kind)) append(brownout::to_string(kind));
  });
  for (std::size_t first = 0; first < statuses_.size(); ++first) {
    if (!statuses_[first]) continue;
    std::size_t last = first;
    while (last + 1 < statuses_.size() && statuses_[last + 1]) ++last;
    append("status " + std::to_string(first));
    if (last > first) text += "-" + std::to_string(last);
    first = last;
  }
  return text.empty() ? "none" : text;
}

}  // namespace brownout
