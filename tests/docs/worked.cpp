#include "tests/docs/worked.hpp"

#include <gtest/gtest.h>

#include <map>
#include <stdexcept>

namespace brownout::docs {

const Node& Input::at(std::string_view key) const {
  const Node* value = root_.find(key);
  if (value == nullptr) throw std::runtime_error("no \"" + std::string(key) + "\"");
  return *value;
}

std::string Input::source(std::string_view key) const {
  const Span span = at(key).span;
  return root_.document->text().substr(span.begin, span.end - span.begin);
}

Duration duration_of(const Node& node) {
  const auto duration = parse_duration(node.text);
  if (!duration) throw std::runtime_error("no duration: " + node.text);
  return *duration;
}

Instant instant_of(const Node& node) {
  return Instant{} + duration_of(node);
}

std::int64_t number_of(const Node& node) {
  return std::stoll(node.text);
}

Outcome outcome_of(std::string_view words) {
  const auto blank = words.find(' ');
  const auto kind = parse_outcome_kind(words.substr(0, blank));
  if (!kind) throw std::runtime_error("no outcome: " + std::string(words));
  Outcome outcome;
  outcome.kind = *kind;
  outcome.refused = is_own_refusal(*kind);
  if (blank != std::string_view::npos) {
    outcome.retry_after = parse_duration(words.substr(blank + 1));
    if (!outcome.retry_after) throw std::runtime_error("no hint: " + std::string(words));
  }
  return outcome;
}

std::string time_text(Instant at) {
  return at == never ? "never" : format_duration_short(at - Instant{});
}

Policy policy_with(std::string_view pipeline) {
  const std::string fallback = R"([{"fallback")";
  const bool ends_elsewhere = pipeline.starts_with(fallback);
  auto policy = parse_policy("page", R"({"kind":"policy","version":1,"name":"page",)" +
                                         std::string(ends_elsewhere ? "" : R"("to":"a/b",)") +
                                         R"("pipeline":)" + std::string(pipeline) + "}");
  if (!policy) throw std::runtime_error(policy.error().front().to_string());
  return std::move(*policy);
}

std::string work_out(const std::string& comment) {
  using Machine = std::string (*)(const Input&);
  static const std::map<std::string, Machine, std::less<>> machines{
      {"backoff", work_out_backoff},
      {"retry", work_out_retry},
      {"hint", work_out_hint},
      {"hint reading", work_out_hint_reading},
      {"budget", work_out_budget},
      {"breaker", work_out_breaker},
      {"rate_limit", work_out_rate_limit},
      {"bulkhead", work_out_bulkhead},
      {"adaptive_concurrency", work_out_adaptive_concurrency},
      {"adaptive_rate", work_out_adaptive_rate},
      {"throttle", work_out_throttle},
      {"timeout", work_out_timeout},
      {"hedge", work_out_hedge},
      {"fallback", work_out_fallback},
      {"cache", work_out_cache},
      {"token_limit", work_out_token_limit},
  };
  const auto brace = comment.find(" {");
  const auto machine = machines.find(comment.substr(0, brace));
  if (brace == std::string::npos || machine == machines.end()) {
    ADD_FAILURE() << "no machine: " << comment;
    return {};
  }
  const auto document = Document::parse("comment", comment.substr(brace + 1));
  if (!document) {
    ADD_FAILURE() << document.error().front().to_string();
    return {};
  }
  try {
    return machine->second(Input((*document)->root()));
  } catch (const std::exception& error) {
    ADD_FAILURE() << comment << ": " << error.what();
    return {};
  }
}

}  // namespace brownout::docs
