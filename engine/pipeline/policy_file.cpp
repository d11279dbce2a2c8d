// The loader of policy files. scenarios/schema/policy.schema.json accepts the same files; a test
// holds the two against each other.

#include <algorithm>
#include <charconv>
#include <utility>

#include "engine/core/document.hpp"
#include "engine/core/document_text.hpp"
#include "engine/pipeline/policy.hpp"

namespace brownout {
namespace {

constexpr std::int64_t attempts_max = 10'000;
constexpr std::size_t routes_max = 32;
constexpr std::size_t depth_max = 16;  // layers inside each other, routes included

const std::vector<std::string_view> layer_names{"cache", "fallback", "breaker", "retry", "timeout"};

// The names of providers and models are theirs: some have colons and at signs.
bool is_model_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return is_word(c) || std::string_view(".-:@+").find(c) != std::string_view::npos;
  });
}

class PolicyReader {
 public:
  explicit PolicyReader(Problems& problems) : problems_(problems) {}

  void read(const Node& root, Policy& policy);

 private:
  void read_pipeline(const Node& node, std::vector<LayerSpec>& layers, std::size_t depth);
  void read_layer(const Node& node, std::vector<LayerSpec>& layers, std::size_t depth);
  void read_cache(const Node& node, CacheOptions& options);
  void read_breaker(const Node& node, BreakerOptions& options);
  void read_retry(const Node& node, RetryOptions& options);
  void read_timeout(const Node& node, TimeoutOptions& options);
  void read_fallback(const Node& node, FallbackSpec& spec, std::size_t depth);
  void read_route(const Node& node, FallbackSpec& spec, std::size_t depth);
  void read_then(const Node& node, FallbackOptions& options);
  void read_wait(const Node& node, BackoffOptions& options);
  void read_jitter(const Node& node, Jitter& jitter);
  bool read_only_word(const Node& node, std::string_view word);
  void read_outcomes(const Node& node, OutcomeSet& set);
  void read_outcome(const Node& node, OutcomeSet& set);
  bool read_status(const Node& node, OutcomeSet& set);
  void read_route_name(const Node& node, std::string& name);
  void read_to(const Node& node, RouteSpec& route);
  void read_role(const Node& node, RouteSpec& route);
  void require_leaf(const Node& object, const std::vector<LayerSpec>& layers);

  Problems& problems_;
  std::vector<std::pair<std::string, const Node*>> route_names_;
};

void PolicyReader::read(const Node& root, Policy& policy) {
  ObjectReader object(root, problems_);
  if (!read_header(root, object, problems_, "policy")) return;
  object.required("name", [&](const Node& node) { read_name(node, problems_, policy.name); });
  object.optional("description",
                  [&](const Node& node) { read_string(node, problems_, policy.description); });
  object.optional("source", [&](const Node& node) {
    std::string ignored;
    read_string(node, problems_, ignored);
  });
  object.optional("deadline", [&](const Node& node) {
    read_duration(node, problems_, policy.deadline, Duration{1});
  });
  auto main = std::make_unique<RouteSpec>();
  main->name = "main";
  main->span = root.span;
  object.optional("route", [&](const Node& node) { read_route_name(node, main->name); });
  object.optional("to", [&](const Node& node) { read_to(node, *main); });
  object.optional("role", [&](const Node& node) { read_role(node, *main); });
  object.required("pipeline", [&](const Node& node) { read_pipeline(node, policy.pipeline, 1); });
  object.finish();
  if (problems_.empty()) require_leaf(root, policy.pipeline);
  if (!main->to.empty() || !main->role.empty()) policy.main_route = std::move(main);
}

void PolicyReader::read_route_name(const Node& node, std::string& name) {
  if (!read_name(node, problems_, name)) return;
  if (name == "cache" || name == "default") {
    problems_.add(node, "a route cannot be named \"" + name + "\"",
                  "share(" + name + ") already means what the " +
                      (name == "cache" ? "cache" : "default reply") + " answers");
  }
  for (const auto& [other, where] : route_names_) {
    if (other != name) continue;
    const auto line = where->document->position(where->span.begin).line;
    problems_.add(node, "a second route is named \"" + name + "\"",
                  "the first is in line " + std::to_string(line));
  }
  route_names_.emplace_back(name, &node);
}

void PolicyReader::read_to(const Node& node, RouteSpec& route) {
  std::string text;
  if (!read_string(node, problems_, text)) return;
  route.span = node.span;
  if (text.starts_with("role:") && is_name(std::string_view(text).substr(5))) {
    route.role = text.substr(5);
    return;
  }
  const std::string_view whole = text;
  const auto slash = whole.find('/');
  if (slash == whole.npos || !is_model_name(whole.substr(0, slash)) ||
      !is_model_name(whole.substr(slash + 1))) {
    problems_.add(node, quoted(text) + " is not a place calls can go to",
                  "expected \"provider/model\" or \"role:NAME\"");
    return;
  }
  route.to = text;
}

void PolicyReader::read_role(const Node& node, RouteSpec& route) {
  std::string role;
  if (!read_name(node, problems_, role)) return;
  if (!route.role.empty()) {
    problems_.add(node, "\"to\" already names a role", "leave one of them out");
  }
  route.role = role;
}

// A pipeline leads somewhere: by its own "to" or "role", or by the routes of a fallback at its end.
void PolicyReader::require_leaf(const Node& object, const std::vector<LayerSpec>& layers) {
  const bool branches = !layers.empty() && std::holds_alternative<FallbackSpec>(layers.back());
  bool leads = false;
  for (const std::string_view key : {"route", "to", "role"}) {
    const Node* node = object.find(key);
    if (node == nullptr) continue;
    leads |= key != "route";
    if (!branches) continue;
    problems_.add(*node, quoted(key) + " has no effect on a pipeline that ends in a fallback",
                  "its routes say where calls go");
  }
  if (branches || leads) return;
  problems_.add(*object.find("pipeline"), "this pipeline leads nowhere",
                "add \"to\": \"provider/model\" beside it, or end it in a fallback");
}

void PolicyReader::read_pipeline(const Node& node, std::vector<LayerSpec>& layers,
                                 std::size_t depth) {
  bool too_deep = false;
  read_array(node, problems_, [&](const Node& item) {
    if (!layers.empty() && std::holds_alternative<FallbackSpec>(layers.back())) {
      problems_.add(item, "nothing can follow a fallback in its pipeline",
                    "its routes have pipelines of their own");
      return;
    }
    if (depth + layers.size() > depth_max) {
      if (!std::exchange(too_deep, true)) {
        problems_.add(item, "more than " + std::to_string(depth_max) + " layers inside each other");
      }
      return;
    }
    read_layer(item, layers, depth);
  });
}

void PolicyReader::read_layer(const Node& node, std::vector<LayerSpec>& layers, std::size_t depth) {
  if (node.type != Node::Type::object || node.members.size() != 1) {
    const bool several = node.members.size() > 1;
    problems_.add(
        *node.document, several ? node.members[1].key_span : node.span,
        "a layer is an object with one key, its name",
        several ? "put every layer into an object of its own" : expected_one_of("", layer_names));
    return;
  }
  const Node::Member& member = node.members.front();
  const Node& options = member.value;
  if (member.key == "cache") {
    read_cache(options, std::get<CacheOptions>(layers.emplace_back(CacheOptions{})));
  } else if (member.key == "breaker") {
    read_breaker(options, std::get<BreakerOptions>(layers.emplace_back(BreakerOptions{})));
  } else if (member.key == "retry") {
    read_retry(options, std::get<RetryOptions>(layers.emplace_back(RetryOptions{})));
  } else if (member.key == "timeout") {
    read_timeout(options, std::get<TimeoutOptions>(layers.emplace_back(TimeoutOptions{})));
  } else if (member.key == "fallback") {
    FallbackSpec spec;
    read_fallback(options, spec, depth + layers.size() + 1);
    layers.emplace_back(std::move(spec));
  } else {
    problems_.add(*node.document, member.key_span, "unknown layer \"" + member.key + "\"",
                  expected_one_of(member.key, layer_names));
  }
}

void PolicyReader::read_cache(const Node& node, CacheOptions& options) {
  ObjectReader object(node, problems_);
  object.optional(
      "ttl", [&](const Node& value) { read_duration(value, problems_, options.ttl, Duration{1}); });
  object.optional("single_flight",
                  [&](const Node& value) { read_bool(value, problems_, options.single_flight); });
  object.finish();
}

void PolicyReader::read_breaker(const Node& node, BreakerOptions& options) {
  const auto count = [&](const Node& value, std::uint32_t& out, std::int64_t most) {
    std::int64_t number = 0;
    if (read_integer(value, problems_, number, 1, most)) out = static_cast<std::uint32_t>(number);
  };
  ObjectReader object(node, problems_);
  object.optional("consecutive_failures", [&](const Node& value) {
    count(value, options.consecutive_failures, 1'000'000);
  });
  object.optional("open_for", [&](const Node& value) {
    read_duration(value, problems_, options.open_for, Duration{1});
  });
  object.optional("close_after",
                  [&](const Node& value) { count(value, options.close_after, 1'000'000); });
  object.optional("probes", [&](const Node& value) {
    if (value.type == Node::Type::string) {
      if (read_only_word(value, "all")) options.probes = 0;
    } else {
      count(value, options.probes, BreakerOptions::probes_max);
    }
  });
  object.optional("probe_lease", [&](const Node& value) {
    read_duration(value, problems_, options.probe_lease, Duration{1});
  });
  object.optional("late_results", [&](const Node& value) {
    std::size_t word = 0;
    if (read_word(value, problems_, {"ignored", "extend_open", "counted"}, word)) {
      options.late_results = static_cast<BreakerOptions::LateResults>(word);
    }
  });
  object.optional("failures", [&](const Node& value) { read_outcomes(value, options.failures); });
  object.finish();
}

// What stands where otherwise a number does.
bool PolicyReader::read_only_word(const Node& node, std::string_view word) {
  if (node.text == word) return true;
  problems_.add(node, "unexpected value " + quoted(node.text),
                "expected a number, or " + quoted(word));
  return false;
}

void PolicyReader::read_retry(const Node& node, RetryOptions& options) {
  ObjectReader object(node, problems_);
  object.optional("max_attempts", [&](const Node& value) {
    if (value.type == Node::Type::string) {
      if (read_only_word(value, "unbounded")) options.max_attempts = 0;
      return;
    }
    std::int64_t number = 0;
    if (read_integer(value, problems_, number, 1, attempts_max)) {
      options.max_attempts = static_cast<std::uint32_t>(number);
    }
  });
  object.optional("give_up_after", [&](const Node& value) {
    read_duration(value, problems_, options.give_up_after, Duration{1});
  });
  object.optional("wait", [&](const Node& value) { read_wait(value, options.wait); });
  object.optional("on", [&](const Node& value) { read_outcomes(value, options.on); });
  object.optional("retry_after", [&](const Node& value) {
    std::size_t word = 0;
    if (read_word(value, problems_, {"ignore", "at_least"}, word)) {
      options.retry_after = static_cast<HintUse>(word);
    }
  });
  object.finish();
  if (options.max_attempts == 0 && node.find("give_up_after") == nullptr) {
    problems_.add(*node.find("max_attempts"), "this retry never stops",
                  "expected a number, or \"give_up_after\" beside it");
  }
}

void PolicyReader::read_timeout(const Node& node, TimeoutOptions& options) {
  ObjectReader object(node, problems_);
  bool any = false;
  const auto limit = [&](std::string_view key, Duration& out) {
    any |= object.optional(
        key, [&](const Node& value) { read_duration(value, problems_, out, Duration{1}); });
  };
  limit("attempt", options.attempt);
  limit("first_token", options.first_token);
  limit("idle", options.idle);
  object.finish();
  if (!any && node.type == Node::Type::object && node.members.empty()) {
    problems_.add(node, "this timeout limits nothing",
                  "expected at least one of: attempt, first_token, idle");
  }
}

void PolicyReader::read_fallback(const Node& node, FallbackSpec& spec, std::size_t depth) {
  ObjectReader object(node, problems_);
  object.optional("on", [&](const Node& value) { read_outcomes(value, spec.options.on); });
  object.required("routes", [&](const Node& value) {
    const bool read =
        read_array(value, problems_, [&](const Node& item) { read_route(item, spec, depth); });
    if (read && (value.items.empty() || value.items.size() > routes_max)) {
      problems_.add(value, "a fallback has 1 to " + std::to_string(routes_max) + " routes");
    }
  });
  object.optional("then", [&](const Node& value) { read_then(value, spec.options); });
  object.finish();
  spec.options.routes = static_cast<std::uint8_t>(std::min(spec.routes.size(), routes_max));
}

void PolicyReader::read_route(const Node& node, FallbackSpec& spec, std::size_t depth) {
  const std::size_t before = problems_.size();
  RouteSpec route;
  route.span = node.span;
  ObjectReader object(node, problems_);
  object.required("name", [&](const Node& value) { read_route_name(value, route.name); });
  object.optional("to", [&](const Node& value) { read_to(value, route); });
  object.optional("role", [&](const Node& value) { read_role(value, route); });
  object.required("pipeline",
                  [&](const Node& value) { read_pipeline(value, route.pipeline, depth); });
  object.finish();
  if (problems_.size() == before) require_leaf(node, route.pipeline);
  spec.routes.push_back(std::move(route));
}

// "then" lists what answers when no route did: "cached" before a default reply.
void PolicyReader::read_then(const Node& node, FallbackOptions& options) {
  read_array(node, problems_, [&](const Node& item) {
    if (options.default_reply) {
      problems_.add(item, "nothing can follow a default reply: it always answers");
      return;
    }
    const bool again = options.cached;
    if (item.type == Node::Type::string) {
      if (item.text != "cached") {
        problems_.add(item, "unexpected value " + quoted(item.text),
                      "expected \"cached\" or { \"default\": … }");
        return;
      }
      if (again) problems_.add(item, "a cached reply was looked for already");
      options.cached = true;
      return;
    }
    const std::size_t before = problems_.size();
    ObjectReader object(item, problems_);
    const Node* cached = object.optional("cached");
    const Node* reply = object.optional("default");
    object.finish();
    if (problems_.size() != before) return;
    if ((cached == nullptr) == (reply == nullptr)) {
      problems_.add(item, "expected \"cached\", { \"cached\": … } or { \"default\": … }");
      return;
    }
    if (cached != nullptr) {
      if (again) problems_.add(item, "a cached reply was looked for already");
      options.cached = true;
      ObjectReader cached_object(*cached, problems_);
      cached_object.optional("ttl", [&](const Node& value) {
        read_duration(value, problems_, options.cached_ttl, Duration{1});
      });
      cached_object.finish();
    }
    if (reply != nullptr) {
      const std::string& text = reply->document->text();
      options.default_reply = std::make_shared<const std::string>(
          text.substr(reply->span.begin, reply->span.end - reply->span.begin));
    }
  });
}

void PolicyReader::read_jitter(const Node& node, Jitter& jitter) {
  std::size_t word = 0;
  if (read_word(node, problems_, {"none", "full", "equal"}, word)) {
    jitter = static_cast<Jitter>(word);
  }
}

void PolicyReader::read_wait(const Node& node, BackoffOptions& options) {
  if (node.type != Node::Type::object) {
    const bool fixed = node.type == Node::Type::string && parse_duration(node.text);
    problems_.add(node, "a wait is either { \"fixed\": … } or { \"exponential\": … }",
                  fixed ? "did you mean { \"fixed\": " + quoted(node.text) + " }?" : "");
    return;
  }
  const std::size_t before = problems_.size();
  ObjectReader object(node, problems_);
  const Node* fixed = object.optional("fixed");
  const Node* exponential = object.optional("exponential");
  object.finish();
  if (problems_.size() != before) return;
  if ((fixed == nullptr) == (exponential == nullptr)) {
    problems_.add(node, "a wait is either { \"fixed\": … } or { \"exponential\": … }");
    return;
  }
  if (fixed != nullptr && fixed->type != Node::Type::object) {
    options = {BackoffOptions::Shape::fixed, {}, {}, forever, Jitter::none};
    read_duration(*fixed, problems_, options.multiplier);
  } else if (fixed != nullptr) {
    options = {BackoffOptions::Shape::fixed, {}, {}, forever, Jitter::none};
    ObjectReader shape(*fixed, problems_);
    shape.required("wait",
                   [&](const Node& value) { read_duration(value, problems_, options.multiplier); });
    shape.optional("jitter", [&](const Node& value) { read_jitter(value, options.jitter); });
    shape.finish();
  } else if (exponential != nullptr) {
    ObjectReader shape(*exponential, problems_);
    shape.optional("multiplier", [&](const Node& value) {
      read_duration(value, problems_, options.multiplier, Duration{1});
    });
    shape.optional("min", [&](const Node& value) { read_duration(value, problems_, options.min); });
    shape.optional("max", [&](const Node& value) {
      read_duration(value, problems_, options.max, Duration{1});
    });
    shape.optional("jitter", [&](const Node& value) { read_jitter(value, options.jitter); });
    shape.finish();
    const Node* min = exponential->find("min");
    if (min != nullptr && options.min > options.max) {
      const bool said = exponential->find("max") != nullptr;
      problems_.add(*min, "\"min\" is greater than \"max\"",
                    "\"max\" is " + format_duration(options.max) +
                        (said ? "" : " unless the file says otherwise"));
    }
  }
}

void PolicyReader::read_outcomes(const Node& node, OutcomeSet& set) {
  if (node.type == Node::Type::string) {
    problems_.add(node, "expected a list of outcomes", "did you mean [" + quoted(node.text) + "]?");
    return;
  }
  set = OutcomeSet::none();
  const bool read = read_array(node, problems_, [&](const Node& item) { read_outcome(item, set); });
  if (read && node.items.empty()) {
    problems_.add(node, "this list names no outcome", "name one, or leave the key out");
  }
}

void PolicyReader::read_outcome(const Node& node, OutcomeSet& set) {
  std::string text;
  if (!read_string(node, problems_, text)) return;
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
    problems_.add(
        node, quoted(text) + " names no status a call can fail with",
        "expected 400 to 599, as in \"status 429\", \"status 500-599\", \"status >= 500\"");
    return;
  }
  for (std::size_t i = 1; i < outcome_kind_count; ++i) {
    words.push_back(to_string(static_cast<OutcomeKind>(i)));
  }
  words.push_back("status 500-599");
  problems_.add(node, quoted(text) + " is no outcome a call can fail with",
                expected_one_of(text, words));
}

// "status 529", "status 500-599" or "status >= 500".
bool PolicyReader::read_status(const Node& node, OutcomeSet& set) {
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

Result<Policy> read_policy(Result<std::unique_ptr<Document>> document) {
  if (!document) return tl::unexpected(document.error());
  Problems problems;
  Policy policy;
  PolicyReader(problems).read((*document)->root(), policy);
  if (!problems.empty()) return tl::unexpected(problems.take());
  policy.document = std::move(*document);
  return policy;
}

}  // namespace

Result<Policy> load_policy(const std::string& path) {
  return read_policy(Document::load(path));
}

Result<Policy> parse_policy(std::string name, std::string text) {
  return read_policy(Document::parse(std::move(name), std::move(text)));
}

}  // namespace brownout
