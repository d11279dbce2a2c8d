#include "engine/policy_file/policy_options.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "engine/core/document_text.hpp"

namespace brownout {
namespace {

constexpr std::int64_t attempts_max = 10'000;

// What stands where otherwise a number does.
bool read_only_word(const Node& node, Problems& problems, std::string_view word) {
  if (node.text == word) return true;
  problems.add(node, "unexpected value " + quoted(node.text),
               "expected a number, or " + quoted(word));
  return false;
}

// "status 529", "status 500-599" or "status >= 500".
bool read_status(const Node& node, OutcomeSet& set) {
  const std::string_view text = std::string_view(node.text).substr(6);
  const auto number = [](std::string_view digits) -> std::uint16_t {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    const bool whole =
        digits.size() == 3 && error == std::errc{} && end == digits.data() + digits.size();
    return whole && value >= 400 && value <= 599 ? static_cast<std::uint16_t>(value)
                                                 : std::uint16_t{0};
  };
  if (text.starts_with(" >= ")) {
    const std::uint16_t first = number(text.substr(4));
    if (first != 0) set.add_status(first, 599);
    return first != 0;
  }
  if (!text.starts_with(' ')) return false;
  const auto dash = text.find('-');
  const std::uint16_t first = number(text.substr(1, dash == text.npos ? text.npos : dash - 1));
  const std::uint16_t last = dash == text.npos ? first : number(text.substr(dash + 1));
  if (first == 0 || last < first) return false;
  set.add_status(first, last);
  return true;
}

void read_outcome(const Node& node, Problems& problems, OutcomeSet& set) {
  std::string text;
  if (!read_string(node, problems, text)) return;
  if (text == "any") {
    set.add(OutcomeSet::any());
    return;
  }
  std::vector<std::string_view> words{"any"};
  for (const ErrorClass error_class :
       {ErrorClass::retryable, ErrorClass::non_retryable, ErrorClass::critical}) {
    words.push_back(to_string(error_class));
    if (text == to_string(error_class)) {
      set.add(OutcomeSet::of(error_class));
      return;
    }
  }
  const auto kind = parse_outcome_kind(text);
  if (kind && *kind != OutcomeKind::success) {
    set.add(*kind);
    return;
  }
  if (text.starts_with("status")) {
    if (read_status(node, set)) return;
    problems.add(
        node, quoted(text) + " names no status a call can fail with",
        "expected 400 to 599, as in \"status 429\", \"status 500-599\", \"status >= 500\"");
    return;
  }
  for (std::size_t i = 1; i < outcome_kind_count; ++i) {
    words.push_back(to_string(static_cast<OutcomeKind>(i)));
  }
  words.push_back("status 500-599");
  problems.add(node, quoted(text) + " is no outcome a call can fail with",
               expected_one_of(text, words));
}

const std::vector<std::string_view> hint_policies{"ignore", "verbatim", "at_least", "stretch"};

// What the server's retry-after does: a word, or an object with the details.
void read_hint(const Node& node, Problems& problems, HintOptions& options) {
  std::size_t word = 0;
  if (node.type == Node::Type::string) {
    if (read_word(node, problems, hint_policies, word)) {
      options.policy = static_cast<HintPolicy>(word);
    }
    return;
  }
  ObjectReader object(node, problems);
  object.optional("policy", [&](const Node& value) {
    if (read_word(value, problems, hint_policies, word)) {
      options.policy = static_cast<HintPolicy>(word);
    }
  });
  object.optional(
      "cap", [&](const Node& value) { read_duration(value, problems, options.cap, Duration{1}); });
  object.optional("above_cap", [&](const Node& value) {
    if (read_word(value, problems, {"stop", "clamp", "ignore"}, word)) {
      options.above_cap = static_cast<AboveCap>(word);
    }
  });
  object.optional("stretch_by",
                  [&](const Node& value) { read_duration(value, problems, options.stretch_by); });
  object.optional("zero_is_now",
                  [&](const Node& value) { read_bool(value, problems, options.zero_is_now); });
  object.optional("obey_should_retry", [&](const Node& value) {
    if (read_word(value, problems, {"ignore", "when_false", "always"}, word)) {
      options.obey_should_retry = static_cast<ObeyShouldRetry>(word);
    }
  });
  object.optional("of", [&](const Node& value) { read_outcomes(value, problems, options.of); });
  object.optional("required_of",
                  [&](const Node& value) { read_outcomes(value, problems, options.required_of); });
  object.finish();
}

// [ { "for": [ "rate_limited" ], "wait": { … } } ]
void read_special_waits(const Node& node, Problems& problems, std::vector<SpecialWait>& waits) {
  constexpr std::size_t waits_max = 8;
  const bool read = read_array(node, problems, [&](const Node& item) {
    SpecialWait& special = waits.emplace_back();
    ObjectReader object(item, problems);
    object.required("for", [&](const Node& value) { read_outcomes(value, problems, special.on); });
    object.required("wait", [&](const Node& value) { read_wait(value, problems, special.wait); });
    object.finish();
  });
  if (read && (node.items.empty() || node.items.size() > waits_max)) {
    problems.add(node, "there are 1 to " + std::to_string(waits_max) + " special waits");
  }
}

void read_quota(const Node& node, Problems& problems, QuotaOptions& options) {
  constexpr std::int64_t most = 1'000'000;
  ObjectReader object(node, problems);
  const auto tokens = [&](std::string_view key, std::uint32_t& out, std::int64_t low) {
    object.optional(key, [&](const Node& value) { read_count(value, problems, out, low, most); });
  };
  tokens("capacity", options.capacity, 1);
  tokens("retry_cost", options.retry_cost, 0);
  tokens("timeout_cost", options.timeout_cost, 0);
  tokens("throttled_cost", options.throttled_cost, 0);
  tokens("success_gain", options.success_gain, 0);
  object.optional("refund_on_success", [&](const Node& value) {
    read_bool(value, problems, options.refund_on_success);
  });
  object.finish();
}

void read_success_ratio(const Node& node, Problems& problems, SuccessRatioOptions& options) {
  ObjectReader object(node, problems);
  object.optional("max_tokens", [&](const Node& value) {
    read_count(value, problems, options.max_tokens, 1, 1000);
  });
  object.optional("token_ratio", [&](const Node& value) {
    read_per_mille(value, problems, options.token_ratio, 1000);
  });
  object.optional("failures",
                  [&](const Node& value) { read_outcomes(value, problems, options.failures); });
  object.finish();
}

void read_call_share(const Node& node, Problems& problems, CallShareOptions& options) {
  ObjectReader object(node, problems);
  object.optional("share",
                  [&](const Node& value) { read_per_mille(value, problems, options.share, 1000); });
  object.optional("floor_per_second", [&](const Node& value) {
    read_count(value, problems, options.floor_per_second, 0, 1'000'000);
  });
  object.optional("window", [&](const Node& value) {
    read_duration(value, problems, options.window, std::chrono::seconds{1}, std::chrono::hours{1});
  });
  object.finish();
}

}  // namespace

void read_count(const Node& node, Problems& problems, std::uint32_t& out, std::int64_t low,
                std::int64_t high) {
  std::int64_t number = 0;
  if (read_integer(node, problems, number, low, high)) out = static_cast<std::uint32_t>(number);
}

void read_per_mille(const Node& node, Problems& problems, std::uint32_t& per_mille, double most) {
  double share = 0;
  if (!read_number(node, problems, share, 0, most)) return;
  per_mille = static_cast<std::uint32_t>(std::llround(share * 1000));
}

void read_budget(const Node& node, Problems& problems, BudgetOptions& options) {
  ObjectReader object(node, problems);
  const Node* quota = object.optional("quota");
  const Node* success_ratio = object.optional("success_ratio");
  const Node* call_share = object.optional("call_share");
  const std::size_t before = problems.size();
  object.finish();
  if (problems.size() != before) return;
  const int given = (quota != nullptr) + (success_ratio != nullptr) + (call_share != nullptr);
  if (node.type == Node::Type::object && given != 1) {
    problems.add(node, "a budget has one kind",
                 "expected one of: quota, success_ratio, call_share");
    return;
  }
  if (quota != nullptr) read_quota(*quota, problems, options.emplace<QuotaOptions>());
  if (success_ratio != nullptr) {
    read_success_ratio(*success_ratio, problems, options.emplace<SuccessRatioOptions>());
  }
  if (call_share != nullptr) {
    read_call_share(*call_share, problems, options.emplace<CallShareOptions>());
  }
}

void read_outcomes(const Node& node, Problems& problems, OutcomeSet& set) {
  if (node.type == Node::Type::string) {
    problems.add(node, "expected a list of outcomes", "did you mean [" + quoted(node.text) + "]?");
    return;
  }
  set = OutcomeSet::none();
  const bool read =
      read_array(node, problems, [&](const Node& item) { read_outcome(item, problems, set); });
  if (read && node.items.empty()) {
    problems.add(node, "this list names no outcome", "name one, or leave the key out");
  }
}

void read_cache(const Node& node, Problems& problems, CacheOptions& options) {
  ObjectReader object(node, problems);
  object.optional(
      "ttl", [&](const Node& value) { read_duration(value, problems, options.ttl, Duration{1}); });
  object.optional("single_flight",
                  [&](const Node& value) { read_bool(value, problems, options.single_flight); });
  object.finish();
}

void read_retry(const Node& node, Problems& problems, RetryOptions& options) {
  ObjectReader object(node, problems);
  object.optional("max_attempts", [&](const Node& value) {
    if (value.type == Node::Type::string) {
      if (read_only_word(value, problems, "unbounded")) options.max_attempts = 0;
      return;
    }
    std::int64_t number = 0;
    if (read_integer(value, problems, number, 1, attempts_max)) {
      options.max_attempts = static_cast<std::uint32_t>(number);
    }
  });
  object.optional("give_up_after", [&](const Node& value) {
    read_duration(value, problems, options.give_up_after, Duration{1});
  });
  object.optional("wait", [&](const Node& value) { read_wait(value, problems, options.wait); });
  object.optional("special_waits", [&](const Node& value) {
    read_special_waits(value, problems, options.special_waits);
  });
  object.optional("on", [&](const Node& value) { read_outcomes(value, problems, options.on); });
  object.optional("retry_after",
                  [&](const Node& value) { read_hint(value, problems, options.hint); });
  object.optional("budget", [&](const Node& value) { read_name(value, problems, options.budget); });
  object.finish();
  if (options.max_attempts == 0 && node.find("give_up_after") == nullptr) {
    problems.add(*node.find("max_attempts"), "this retry never stops",
                 "expected a number, or \"give_up_after\" beside it");
  }
}

void read_timeout(const Node& node, Problems& problems, TimeoutOptions& options) {
  ObjectReader object(node, problems);
  std::string known;
  const auto limit = [&](std::string_view key, Duration& out) {
    object.optional(key,
                    [&](const Node& value) { read_duration(value, problems, out, Duration{1}); });
    known += (known.empty() ? "" : ", ") + std::string(key);
  };
  limit("attempt", options.attempt);
  limit("connect", options.connect);
  limit("first_token", options.first_token);
  limit("idle", options.idle);
  limit("total", options.total);
  object.finish();
  if (node.type == Node::Type::object && node.members.empty()) {
    problems.add(node, "this timeout limits nothing", "expected at least one of: " + known);
  }
}

}  // namespace brownout
