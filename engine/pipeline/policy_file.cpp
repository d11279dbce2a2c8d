// The loader of policy files. scenarios/schema/policy.schema.json accepts the same files; a test
// holds the two against each other.

#include <algorithm>
#include <cctype>
#include <charconv>

#include "engine/core/document.hpp"
#include "engine/pipeline/policy.hpp"

namespace brownout {
namespace {

constexpr std::int64_t attempts_max = 10'000;
constexpr std::size_t routes_max = 32;
constexpr std::size_t depth_max = 16;  // layers inside each other, routes included

const std::vector<std::string_view> layer_names{"cache", "fallback", "breaker", "retry", "timeout"};

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '.' || c == '-' || c == '_';
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
  void read_outcomes(const Node& node, OutcomeSet& set);
  void read_outcome(const Node& node, OutcomeSet& set);
  bool read_status(const Node& node, OutcomeSet& set);
  void read_name(const Node& node, std::string& name);
  void read_route_name(const Node& node, std::string& name);
  void read_to(const Node& node, RouteSpec& route);
  void read_role(const Node& node, RouteSpec& route);
  void require_leaf(const Node& object, const RouteSpec& route,
                    const std::vector<LayerSpec>& layers);

  Problems& problems_;
  std::vector<std::pair<std::string, const Node*>> route_names_;
};

void PolicyReader::read(const Node& root, Policy& policy) {
  ObjectReader object(root, problems_);
  object.optional("$schema");
  object.required("kind", [&](const Node& node) {
    std::size_t ignored = 0;
    read_word(node, problems_, {"policy"}, ignored);
  });
  object.required("version", [&](const Node& node) {
    std::int64_t ignored = 0;
    read_integer(node, problems_, ignored, 1, 1);
  });
  object.required("name", [&](const Node& node) { read_name(node, policy.name); });
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
  require_leaf(root, *main, policy.pipeline);
  if (!main->to.empty() || !main->role.empty()) policy.main_route = std::move(main);
}

void PolicyReader::read_name(const Node& node, std::string& name) {
  if (!read_string(node, problems_, name) || is_name(name)) return;
  problems_.add(node, "a name is made of letters, digits, '.', '-' and '_'");
}

void PolicyReader::read_route_name(const Node& node, std::string& name) {
  read_name(node, name);
  if (name == "cache" || name == "default") {
    problems_.add(node, "\"" + name + "\" cannot name a route: it names a way calls are served");
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
  if (text.starts_with("role:") && text.size() > 5) {
    route.role = text.substr(5);
    return;
  }
  const auto slash = text.find('/');
  if (slash == std::string::npos || slash == 0 || slash + 1 == text.size()) {
    problems_.add(node, "a route leads to \"provider/model\" or \"role:NAME\"");
    return;
  }
  route.to = text;
}

void PolicyReader::read_role(const Node& node, RouteSpec& route) {
  std::string role;
  if (!read_string(node, problems_, role)) return;
  if (!route.role.empty()) problems_.add(node, "\"to\" already names a role");
  route.role = role;
}

// A pipeline leads somewhere: by its own "to", or by the routes of a fallback at its end.
void PolicyReader::require_leaf(const Node& object, const RouteSpec& route,
                                const std::vector<LayerSpec>& layers) {
  const bool branches = !layers.empty() && std::holds_alternative<FallbackSpec>(layers.back());
  const bool leads = !route.to.empty() || !route.role.empty();
  const Node* to = object.find("to");
  if (branches && leads && to != nullptr) {
    problems_.add(*to, "this pipeline ends in a fallback, whose routes say where calls go",
                  "never used");
  }
  if (!branches && !leads && to == nullptr && object.find("pipeline") != nullptr) {
    problems_.add(object, "this pipeline leads nowhere",
                  "add \"to\": \"provider/model\", or end the pipeline in a fallback");
  }
}

void PolicyReader::read_pipeline(const Node& node, std::vector<LayerSpec>& layers,
                                 std::size_t depth) {
  read_array(node, problems_, [&](const Node& item) {
    if (!layers.empty() && std::holds_alternative<FallbackSpec>(layers.back())) {
      problems_.add(item, "nothing can follow a fallback in its pipeline",
                    "its routes have pipelines of their own");
      return;
    }
    if (depth + layers.size() > depth_max) {
      problems_.add(item, "more than " + std::to_string(depth_max) + " layers inside each other");
      return;
    }
    read_layer(item, layers, depth);
  });
}

void PolicyReader::read_layer(const Node& node, std::vector<LayerSpec>& layers, std::size_t depth) {
  if (node.type != Node::Type::object || node.members.size() != 1) {
    problems_.add(node, "a layer is an object with one key, its name",
                  expected_one_of("", layer_names));
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
      std::size_t ignored = 0;
      if (read_word(value, problems_, {"all"}, ignored)) options.probes = 0;
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

void PolicyReader::read_retry(const Node& node, RetryOptions& options) {
  ObjectReader object(node, problems_);
  object.optional("max_attempts", [&](const Node& value) {
    if (value.type == Node::Type::string) {
      std::size_t ignored = 0;
      if (read_word(value, problems_, {"unbounded"}, ignored)) options.max_attempts = 0;
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
  if (options.max_attempts == 0 && options.give_up_after == forever) {
    problems_.add(node, "this retry never stops",
                  "give \"max_attempts\" a number, or add \"give_up_after\"");
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
  RouteSpec route;
  route.span = node.span;
  ObjectReader object(node, problems_);
  object.required("name", [&](const Node& value) { read_route_name(value, route.name); });
  object.optional("to", [&](const Node& value) { read_to(value, route); });
  object.optional("role", [&](const Node& value) { read_role(value, route); });
  object.required("pipeline",
                  [&](const Node& value) { read_pipeline(value, route.pipeline, depth); });
  object.finish();
  require_leaf(node, route, route.pipeline);
  spec.routes.push_back(std::move(route));
}

// "then" lists what answers when no route did: "cached" before a default reply.
void PolicyReader::read_then(const Node& node, FallbackOptions& options) {
  read_array(node, problems_, [&](const Node& item) {
    if (options.default_reply) {
      problems_.add(item, "nothing can follow a default reply: it always answers");
      return;
    }
    if (item.type == Node::Type::string) {
      std::size_t ignored = 0;
      if (read_word(item, problems_, {"cached"}, ignored)) options.cached = true;
      return;
    }
    ObjectReader object(item, problems_);
    const Node* cached = object.optional("cached");
    const Node* reply = object.optional("default");
    object.finish();
    if (item.type == Node::Type::object && (cached == nullptr) == (reply == nullptr)) {
      problems_.add(item, "expected \"cached\", { \"cached\": … } or { \"default\": … }");
      return;
    }
    if (cached != nullptr) {
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
  ObjectReader object(node, problems_);
  const Node* fixed = object.optional("fixed");
  const Node* exponential = object.optional("exponential");
  object.finish();
  if (node.type == Node::Type::object && (fixed == nullptr) == (exponential == nullptr)) {
    problems_.add(node, "a wait is either { \"fixed\": … } or { \"exponential\": … }");
    return;
  }
  if (fixed != nullptr && fixed->type == Node::Type::string) {
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
    if (options.min > options.max) {
      problems_.add(*exponential, "\"min\" (" + format_duration(options.min) +
                                      ") is greater than \"max\" (" + format_duration(options.max) +
                                      ")");
      options.min = options.max;
    }
  }
}

void PolicyReader::read_outcomes(const Node& node, OutcomeSet& set) {
  set = OutcomeSet::none();
  read_array(node, problems_, [&](const Node& item) { read_outcome(item, set); });
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
  if (text.starts_with("status") && read_status(node, set)) return;
  for (std::size_t i = 1; i < outcome_kind_count; ++i) {
    words.push_back(to_string(static_cast<OutcomeKind>(i)));
  }
  words.push_back("status 500-599");
  problems_.add(node, "\"" + text + "\" is no outcome a call can fail with",
                expected_one_of(text, words));
}

// "status 529", "status 500-599" or "status >= 500".
bool PolicyReader::read_status(const Node& node, OutcomeSet& set) {
  const std::string_view text = std::string_view(node.text).substr(6);
  const auto number = [](std::string_view digits) -> std::uint16_t {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    const bool whole = error == std::errc{} && end == digits.data() + digits.size();
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
