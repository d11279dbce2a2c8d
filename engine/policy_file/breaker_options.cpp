// A breaker's options. What contradicts itself, or would never have an effect, is an error.

#include <algorithm>

#include "engine/core/document_text.hpp"
#include "engine/policy_file/policy_options.hpp"

namespace brownout {
namespace {

constexpr std::int64_t count_max = 1'000'000;
constexpr std::int64_t judged_max = 100'000;

const std::vector<std::string_view> open_jitters{"none", "equal", "full"};

class BreakerReader {
 public:
  BreakerReader(const Node& node, Problems& problems, BreakerOptions& options)
      : node_(node), problems_(problems), options_(options) {}

  void read();

 private:
  template <class Enum>
  void word(ObjectReader& object, std::string_view key, const std::vector<std::string_view>& words,
            Enum& out) {
    object.optional(key, [&](const Node& value) {
      std::size_t index = 0;
      if (read_word(value, problems_, words, index)) out = static_cast<Enum>(index);
    });
  }
  void count(ObjectReader& object, std::string_view key, std::uint32_t& out, std::int64_t most) {
    object.optional(key, [&](const Node& value) { read_count(value, out, most); });
  }
  void rate(ObjectReader& object, std::string_view key, std::uint32_t& out) {
    object.optional(key, [&](const Node& value) { read_rate(value, out); });
  }
  void duration(ObjectReader& object, std::string_view key, Duration& out,
                Duration least = Duration{1}) {
    object.optional(key, [&](const Node& value) { read_duration(value, problems_, out, least); });
  }
  void read_count(const Node& node, std::uint32_t& out, std::int64_t most) {
    std::int64_t number = 0;
    if (read_integer(node, problems_, number, 1, most)) out = static_cast<std::uint32_t>(number);
  }
  void read_rate(const Node& node, std::uint32_t& out) {
    double share = 0;
    if (read_number(node, problems_, share, 0.001, 1)) read_per_mille(node, problems_, out, 1);
  }
  void read_or_word(const Node& node, std::uint32_t& out, std::int64_t most,
                    std::string_view word) {
    if (node.type != Node::Type::string) return read_count(node, out, most);
    if (node.text == word) {
      out = 0;
      return;
    }
    problems_.add(node, "unexpected value " + quoted(node.text),
                  "expected a number, or " + quoted(word));
  }
  void useless(const Node* value, std::string_view what, std::string_view note) {
    if (value != nullptr) problems_.add(*value, std::string(what), std::string(note));
  }

  void read_rules(ObjectReader& object);
  void read_window(const Node& node);
  void read_open_for(const Node& node);
  void read_open_jitter(const Node& node);
  void read_reset(const Node& node);
  void read_hint(const Node& node);
  void read_half_open(const Node& node);
  void read_m_of_n(const Node& node);
  void read_ratio(const Node& node);
  void read_ramp(const Node& node);
  void check_rules();
  void check_half_open();

  const Node& node_;
  Problems& problems_;
  BreakerOptions& options_;
};

void BreakerReader::read() {
  ObjectReader object(node_, problems_);
  word(object, "mode", {"automatic", "forced_open", "disabled", "metrics_only"}, options_.mode);
  word(object, "scope", {"route", "provider", "key"}, options_.scope);
  count(object, "keys", options_.keys, BreakerOptions::keys_max);
  read_rules(object);
  object.optional("open_for", [&](const Node& value) { read_open_for(value); });
  object.optional("half_open", [&](const Node& value) { read_half_open(value); });
  count(object, "close_after", options_.close_after, count_max);
  object.optional("probes", [&](const Node& value) {
    read_or_word(value, options_.probes, BreakerOptions::probes_max, "all");
  });
  duration(object, "probe_lease", options_.probe_lease);
  object.optional("neutral_probes", [&](const Node& value) {
    read_or_word(value, options_.neutral_probes, count_max, "never");
  });
  word(object, "late_results", {"ignored", "extend_open", "counted", "unless_open"},
       options_.late_results);
  object.optional("failures",
                  [&](const Node& value) { read_outcomes(value, problems_, options_.failures); });
  object.finish();
  check_rules();
  check_half_open();
  if (options_.scope != BreakerOptions::Scope::key) {
    useless(node_.find("keys"), "\"keys\" needs \"scope\": \"key\"",
            "without it there is one breaker");
  }
}

void BreakerReader::read_rules(ObjectReader& object) {
  if (node_.find("window") != nullptr) options_.consecutive_failures = 0;
  count(object, "consecutive_failures", options_.consecutive_failures, count_max);
  object.optional("window", [&](const Node& value) { read_window(value); });
  count(object, "minimum_calls", options_.minimum_calls, BreakerOptions::window_calls_max);
  rate(object, "failure_rate", options_.failure_per_mille);
  count(object, "failures_in_window", options_.failures_in_window, count_max);
  object.optional("require_both",
                  [&](const Node& value) { read_bool(value, problems_, options_.require_both); });
  duration(object, "slow_call", options_.slow_call);
  rate(object, "slow_call_rate", options_.slow_per_mille);
  word(object, "comparison", {">=", ">"}, options_.comparison);
  word(object, "evaluate", {"failures", "results"}, options_.evaluate);
  object.optional("trip_on",
                  [&](const Node& value) { read_outcomes(value, problems_, options_.trip_on); });
}

// { "calls": 100 } or { "time": "30s" }.
void BreakerReader::read_window(const Node& node) {
  ObjectReader object(node, problems_);
  count(object, "calls", options_.window_calls, BreakerOptions::window_calls_max);
  duration(object, "time", options_.window_time, std::chrono::milliseconds{1});
  const std::size_t before = problems_.size();
  object.finish();
  if (problems_.size() != before || node.type != Node::Type::object) return;
  if (node.members.size() != 1) {
    problems_.add(node, "a window has one size", "expected one of: calls, time");
    options_.window_time = {};
  }
}

void BreakerReader::check_rules() {
  const auto has = [&](std::string_view key) { return node_.find(key) != nullptr; };
  const bool rates = has("failure_rate") || has("slow_call_rate");
  const Node* window = node_.find("window");
  if (window == nullptr) {
    for (const std::string_view key :
         {"failure_rate", "failures_in_window", "slow_call_rate", "evaluate"}) {
      useless(node_.find(key), quoted(key) + " needs a window to count in",
              "add \"window\": { \"calls\": 100 } or { \"time\": \"30s\" }");
    }
  } else if (!rates && !has("failures_in_window")) {
    problems_.add(*window, "nothing looks at this window",
                  "add one of: failure_rate, failures_in_window, slow_call_rate");
  }
  if (has("slow_call_rate") && !has("slow_call")) {
    problems_.add(*node_.find("slow_call_rate"), "\"slow_call_rate\" needs \"slow_call\"",
                  "after how long is a call slow?");
  }
  if (!has("slow_call_rate")) {
    useless(node_.find("slow_call"), "\"slow_call\" needs \"slow_call_rate\"",
            "how large a share of slow calls opens it?");
  }
  const bool half_open_rate = options_.close_rule.kind == CloseRule::Kind::ratio ||
                              options_.close_rule.kind == CloseRule::Kind::ramp;
  if (!rates) {
    useless(node_.find("minimum_calls"), "\"minimum_calls\" needs a rate",
            "add one of: failure_rate, slow_call_rate");
    if (!half_open_rate) {
      useless(node_.find("comparison"), "\"comparison\" needs a rate",
              "add one of: failure_rate, slow_call_rate");
    }
  }
  if (!has("failure_rate") || !has("failures_in_window")) {
    useless(node_.find("require_both"), "\"require_both\" needs two rules",
            "add both of: failure_rate, failures_in_window");
    options_.require_both = false;
  }
  const std::uint32_t calls = options_.window_calls;
  if (calls == 0) return;
  if (has("minimum_calls") && options_.minimum_calls > calls) {
    problems_.add(*node_.find("minimum_calls"), "the window never holds so many calls",
                  "it holds " + std::to_string(calls));
  }
  if (options_.failures_in_window > calls) {
    problems_.add(*node_.find("failures_in_window"), "the window never holds so many calls",
                  "it holds " + std::to_string(calls));
  }
}

// "30s", or { "from": "5s", "factor": 2, "max": "300s", … }.
void BreakerReader::read_open_for(const Node& node) {
  if (node.type != Node::Type::object) {
    read_duration(node, problems_, options_.open_for, Duration{1});
    return;
  }
  OpenTimeOptions& open_time = options_.open_time;
  ObjectReader object(node, problems_);
  duration(object, "from", options_.open_for);
  object.optional("factor", [&](const Node& value) {
    double factor = 0;
    if (read_number(value, problems_, factor, 1, 100)) {
      read_per_mille(value, problems_, open_time.factor_per_mille, 100);
    }
  });
  duration(object, "add", open_time.add);
  object.optional("jitter_first",
                  [&](const Node& value) { read_bool(value, problems_, open_time.jitter_first); });
  const bool bounded = object.optional("max", [&](const Node& value) {
    read_duration(value, problems_, open_time.max, Duration{1});
  });
  object.optional("jitter", [&](const Node& value) { read_open_jitter(value); });
  object.optional("reset", [&](const Node& value) { read_reset(value); });
  object.optional("retry_after", [&](const Node& value) { read_hint(value); });
  object.finish();
  const bool grows = node.find("factor") != nullptr || node.find("add") != nullptr;
  if (!grows) {
    constexpr std::string_view why = "without one of them the open time does not grow";
    useless(node.find("max"), "\"max\" needs \"factor\" or \"add\"", why);
    useless(node.find("reset"), "\"reset\" needs \"factor\" or \"add\"", why);
  }
  if (node.find("factor") != nullptr) {
    useless(node.find("add"), "an open time grows by a factor or by addition",
            "leave one of them out");
  }
  if (node.find("jitter") == nullptr) {
    useless(node.find("jitter_first"), "\"jitter_first\" needs \"jitter\"",
            "without it no open time is spread");
  }
  if (bounded && open_time.max < options_.open_for) {
    problems_.add(*node.find("max"), "\"from\" is greater than \"max\"",
                  "\"from\" is " + format_duration(options_.open_for));
    open_time.max = options_.open_for;
  }
}

// A word, or { "proportional": { "from": 0.75, "to": 1.25 } }.
void BreakerReader::read_open_jitter(const Node& node) {
  OpenTimeOptions& open_time = options_.open_time;
  if (node.type != Node::Type::object) {
    std::size_t index = 0;
    if (read_word(node, problems_, open_jitters, index)) {
      open_time.jitter = static_cast<OpenTimeOptions::Jitter>(index);
    }
    return;
  }
  open_time.jitter = OpenTimeOptions::Jitter::proportional;
  ObjectReader object(node, problems_);
  object.required("proportional", [&](const Node& value) {
    ObjectReader factors(value, problems_);
    factors.required("from", [&](const Node& factor) {
      read_per_mille(factor, problems_, open_time.spread_low_per_mille, 10);
    });
    factors.required("to", [&](const Node& factor) {
      read_per_mille(factor, problems_, open_time.spread_high_per_mille, 10);
    });
    factors.finish();
    const Node* from = value.find("from");
    if (from != nullptr && open_time.spread_low_per_mille > open_time.spread_high_per_mille) {
      problems_.add(*from, "\"from\" is greater than \"to\"");
      open_time.spread_high_per_mille = open_time.spread_low_per_mille;
    }
  });
  object.finish();
}

// "on_close", { "after": "5m" } or { "step": "10s" }.
void BreakerReader::read_reset(const Node& node) {
  OpenTimeOptions& open_time = options_.open_time;
  if (node.type != Node::Type::object) {
    std::size_t index = 0;
    read_word(node, problems_, {"on_close"}, index);
    return;
  }
  ObjectReader object(node, problems_);
  object.optional("after", [&](const Node& value) {
    open_time.reset = OpenTimeOptions::Reset::after;
    read_duration(value, problems_, open_time.reset_every, Duration{1});
  });
  object.optional("step", [&](const Node& value) {
    open_time.reset = OpenTimeOptions::Reset::step;
    read_duration(value, problems_, open_time.reset_every, Duration{1});
  });
  const std::size_t before = problems_.size();
  object.finish();
  if (problems_.size() == before && node.members.size() != 1) {
    problems_.add(node, "a reset has one kind", "expected one of: after, step");
  }
}

void BreakerReader::read_hint(const Node& node) {
  OpenTimeOptions& open_time = options_.open_time;
  open_time.obey_retry_after = true;
  ObjectReader object(node, problems_);
  duration(object, "min", open_time.hint_min);
  duration(object, "max", open_time.hint_max);
  object.finish();
  if (open_time.hint_min <= open_time.hint_max) return;
  const bool says_min = node.find("min") != nullptr;
  problems_.add(*node.find(says_min ? "min" : "max"), "\"min\" is greater than \"max\"",
                says_min ? "\"max\" is " + format_duration(open_time.hint_max)
                         : "\"min\" is " + format_duration(open_time.hint_min));
  open_time.hint_max = open_time.hint_min;
}

// "none", or one kind by its name.
void BreakerReader::read_half_open(const Node& node) {
  if (node.type == Node::Type::string) {
    std::size_t index = 0;
    if (read_word(node, problems_, {"none"}, index)) {
      options_.close_rule.kind = CloseRule::Kind::none;
    }
    return;
  }
  ObjectReader object(node, problems_);
  const Node* m_of_n = object.optional("m_of_n");
  const Node* ratio = object.optional("ratio");
  const Node* ramp = object.optional("ramp");
  const std::size_t before = problems_.size();
  object.finish();
  if (problems_.size() != before || node.type != Node::Type::object) return;
  if (node.members.size() != 1) {
    problems_.add(node, "half-open is decided in one way", "expected one of: m_of_n, ratio, ramp");
    return;
  }
  if (m_of_n != nullptr) read_m_of_n(*m_of_n);
  if (ratio != nullptr) read_ratio(*ratio);
  if (ramp != nullptr) read_ramp(*ramp);
}

void BreakerReader::read_m_of_n(const Node& node) {
  CloseRule& rule = options_.close_rule;
  rule.kind = CloseRule::Kind::m_of_n;
  ObjectReader object(node, problems_);
  object.required("successes",
                  [&](const Node& value) { read_count(value, rule.successes, judged_max); });
  object.required("of", [&](const Node& value) { read_count(value, rule.calls, judged_max); });
  object.finish();
  const Node* successes = node.find("successes");
  if (successes == nullptr || rule.successes <= rule.calls) return;
  problems_.add(*successes, "\"successes\" is greater than \"of\"");
  rule.calls = rule.successes;
}

void BreakerReader::read_ratio(const Node& node) {
  CloseRule& rule = options_.close_rule;
  rule.kind = CloseRule::Kind::ratio;
  ObjectReader object(node, problems_);
  count(object, "calls", rule.calls, judged_max);
  rate(object, "failure_rate", rule.failure_per_mille);
  object.finish();
}

void BreakerReader::read_ramp(const Node& node) {
  constexpr std::uint32_t probes_of_a_ramp = 100;
  CloseRule& rule = options_.close_rule;
  rule.kind = CloseRule::Kind::ramp;
  if (node_.find("probes") == nullptr) options_.probes = probes_of_a_ramp;
  ObjectReader object(node, problems_);
  duration(object, "over", rule.ramp);
  rate(object, "from", rule.ramp_from_per_mille);
  count(object, "calls", rule.calls, judged_max);
  rate(object, "failure_rate", rule.failure_per_mille);
  object.finish();
}

void BreakerReader::check_half_open() {
  const CloseRule& rule = options_.close_rule;
  switch (rule.kind) {
    case CloseRule::Kind::successes:
      return;
    case CloseRule::Kind::none:
      for (const std::string_view key :
           {"close_after", "probes", "probe_lease", "neutral_probes"}) {
        useless(node_.find(key), quoted(key) + " has no effect without half-open",
                "the end of the open time closes it");
      }
      if ((options_.open_time.factor_per_mille > 1000 || options_.open_time.add > Duration{0}) &&
          options_.open_time.reset == OpenTimeOptions::Reset::on_close) {
        problems_.add(*node_.find("half_open"),
                      "without half-open every open time ends in recovery, and none grows",
                      "add \"reset\" to \"open_for\"");
      }
      return;
    case CloseRule::Kind::m_of_n:
    case CloseRule::Kind::ratio:
    case CloseRule::Kind::ramp:
      break;
  }
  useless(node_.find("close_after"), "\"close_after\" has no effect beside \"half_open\"",
          "that says what closes it");
  const Node* probes = node_.find("probes");
  if (probes == nullptr || rule.kind == CloseRule::Kind::ramp) return;
  if (options_.probes > rule.calls) {
    problems_.add(*probes, "more probes at once than results decide",
                  std::to_string(rule.calls) + " do");
  }
}

}  // namespace

void read_breaker(const Node& node, Problems& problems, BreakerOptions& options) {
  BreakerReader(node, problems, options).read();
}

}  // namespace brownout
