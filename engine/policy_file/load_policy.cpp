// The loader of policy files. scenarios/schema/policy.schema.json accepts the same files; a test
// holds the two against each other.

#include <algorithm>
#include <utility>

#include "engine/core/document.hpp"
#include "engine/core/document_text.hpp"
#include "engine/policy_file/policy.hpp"
#include "engine/policy_file/policy_options.hpp"
#include "engine/policy_file/policy_traps.hpp"

namespace brownout {
namespace {

constexpr std::size_t routes_max = FallbackOptions::routes_max;
constexpr std::size_t depth_max = 16;  // layers inside each other, routes included

const std::vector<std::string_view> layer_names{"cache",      "fallback",    "breaker",
                                                "retry",      "timeout",     "hedge",
                                                "rate_limit", "bulkhead",    "adaptive_concurrency",
                                                "throttle",   "token_limit", "adaptive_rate"};

// The names of providers and models are theirs: some have colons and at signs.
bool is_model_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return is_word(c) || std::string_view(".-:@+").find(c) != std::string_view::npos;
  });
}

template <class Options>
void read_into(std::vector<LayerSpec>& layers, const Node& node, Problems& problems,
               void (*read)(const Node&, Problems&, Options&)) {
  read(node, problems, std::get<Options>(layers.emplace_back(std::in_place_type<Options>)));
}

// False when `key` names none of the layers that limit.
bool read_limit(std::string_view key, const Node& node, Problems& problems,
                std::vector<LayerSpec>& layers) {
  if (key == "rate_limit") {
    read_into(layers, node, problems, read_rate_limit);
  } else if (key == "bulkhead") {
    read_into(layers, node, problems, read_bulkhead);
  } else if (key == "adaptive_concurrency") {
    read_into(layers, node, problems, read_adaptive_concurrency);
  } else if (key == "throttle") {
    read_into(layers, node, problems, read_throttle);
  } else if (key == "adaptive_rate") {
    read_into(layers, node, problems, read_adaptive_rate);
  } else if (key == "token_limit") {
    read_into(layers, node, problems, read_token_limit);
  } else {
    return false;
  }
  return true;
}

class PolicyReader {
 public:
  explicit PolicyReader(Problems& problems) : problems_(problems) {}

  void read(const Node& root, Policy& policy);

 private:
  void read_budgets(const Node& node, std::vector<BudgetSpec>& budgets);
  void check_budget(const Node& retry, const std::string& name);
  void read_pipeline(const Node& node, std::vector<LayerSpec>& layers, std::size_t depth);
  void read_layer(const Node& node, std::vector<LayerSpec>& layers, std::size_t depth);
  void read_fallback(const Node& node, FallbackSpec& spec, std::size_t depth);
  void read_route(const Node& node, FallbackSpec& spec, std::size_t depth);
  void read_route_name(const Node& node, std::string& name);
  void read_to(const Node& node, RouteSpec& route);
  void read_role(const Node& node, RouteSpec& route);
  void require_leaf(const Node& object, const std::vector<LayerSpec>& layers);
  void check_provider_breakers(const Node& object, const std::vector<LayerSpec>& layers);

  // A breaker shared by all routes to one provider, where it is named first.
  struct ProviderBreaker {
    std::string provider;
    BreakerOptions options;
    const Node* where;
  };

  Problems& problems_;
  std::vector<ProviderBreaker> provider_breakers_;
  std::vector<std::pair<std::string, const Node*>> route_names_;
  std::vector<std::string> budget_names_;
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
  object.optional("commit", [&](const Node& node) {
    std::size_t word = 0;
    if (read_word(node, problems_, {"first_token", "complete"}, word)) {
      policy.commit = static_cast<Commit>(word);
    }
  });
  object.optional("budgets", [&](const Node& node) { read_budgets(node, policy.budgets); });
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

void PolicyReader::read_budgets(const Node& node, std::vector<BudgetSpec>& budgets) {
  if (node.type != Node::Type::object) {
    problems_.add(node, "expected an object of budgets", "as in { \"shared\": { \"quota\": {} } }");
    return;
  }
  for (const Node::Member& member : node.members) {
    if (!is_name(member.key)) {
      problems_.add(*node.document, member.key_span, quoted(member.key) + " is not a name");
    }
    BudgetSpec& budget = budgets.emplace_back();
    budget.name = member.key;
    budget_names_.push_back(member.key);
    read_budget(member.value, problems_, budget.options);
  }
}

void PolicyReader::check_budget(const Node& retry, const std::string& name) {
  if (name.empty() || std::ranges::find(budget_names_, name) != budget_names_.end()) return;
  const std::vector<std::string_view> names(budget_names_.begin(), budget_names_.end());
  problems_.add(*retry.find("budget"), "the policy has no budget " + quoted(name),
                names.empty() ? "declare it under \"budgets\"" : expected_one_of(name, names));
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

// The provider a pipeline leads to as far as the file says so: a role stands for itself.
std::string provider_of(const Node& object) {
  const Node* to = object.find("to");
  const Node* role = object.find("role");
  if (to == nullptr) return role == nullptr ? "" : "role:" + role->text;
  return to->text.substr(0, to->text.find('/'));
}

// Requires: no problem in this pipeline, so that layers and the file's items correspond.
void PolicyReader::check_provider_breakers(const Node& object,
                                           const std::vector<LayerSpec>& layers) {
  const bool branches = !layers.empty() && std::holds_alternative<FallbackSpec>(layers.back());
  const std::vector<Node>& items = object.find("pipeline")->items;
  const std::string provider = provider_of(object);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto* breaker = std::get_if<BreakerOptions>(&layers[i]);
    if (breaker == nullptr || breaker->scope != BreakerOptions::Scope::provider) continue;
    const Node& where = items[i].members.front().value;
    if (branches) {
      problems_.add(*where.find("scope"), "a provider's breaker stands where calls go to one",
                    "this one stands before a fallback: move it into its routes");
      continue;
    }
    const auto first = std::ranges::find(provider_breakers_, provider, &ProviderBreaker::provider);
    if (first == provider_breakers_.end()) {
      provider_breakers_.push_back({provider, *breaker, &where});
    } else if (first->options != *breaker) {
      const auto line = where.document->position(first->where->span.begin).line;
      problems_.add(*where.find("scope"), "the breakers of one provider have the same options",
                    "those in line " + std::to_string(line) + " differ");
    }
  }
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
  check_provider_breakers(object, layers);
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
  refuse_impossible_orders(node, problems_);
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
    read_cache(options, problems_,
               std::get<CacheOptions>(layers.emplace_back(std::in_place_type<CacheOptions>)));
  } else if (member.key == "breaker") {
    read_breaker(options, problems_,
                 std::get<BreakerOptions>(layers.emplace_back(std::in_place_type<BreakerOptions>)));
  } else if (member.key == "retry") {
    auto& retry = std::get<RetryOptions>(layers.emplace_back(std::in_place_type<RetryOptions>));
    read_retry(options, problems_, retry);
    check_budget(options, retry.budget);
  } else if (member.key == "timeout") {
    read_timeout(options, problems_,
                 std::get<TimeoutOptions>(layers.emplace_back(std::in_place_type<TimeoutOptions>)));
  } else if (member.key == "hedge") {
    auto& hedge = std::get<HedgeSpec>(layers.emplace_back(std::in_place_type<HedgeSpec>));
    read_hedge(options, problems_, hedge.options, hedge.budget);
  } else if (read_limit(member.key, options, problems_, layers)) {
    return;
  } else if (member.key == "fallback") {
    FallbackSpec spec;
    read_fallback(options, spec, depth + layers.size() + 1);
    layers.emplace_back(std::move(spec));
  } else {
    problems_.add(*node.document, member.key_span, "unknown layer \"" + member.key + "\"",
                  expected_one_of(member.key, layer_names));
  }
}

void PolicyReader::read_fallback(const Node& node, FallbackSpec& spec, std::size_t depth) {
  ObjectReader object(node, problems_);
  spec.options.routes.clear();
  read_fallback_options(object, problems_, spec.options);
  object.required("routes", [&](const Node& value) {
    const bool read =
        read_array(value, problems_, [&](const Node& item) { read_route(item, spec, depth); });
    if (read && (value.items.empty() || value.items.size() > routes_max)) {
      problems_.add(value, "a fallback has 1 to " + std::to_string(routes_max) + " routes");
    }
  });
  object.finish();
}

void PolicyReader::read_route(const Node& node, FallbackSpec& spec, std::size_t depth) {
  const std::size_t before = problems_.size();
  RouteSpec route;
  route.span = node.span;
  ObjectReader object(node, problems_);
  object.required("name", [&](const Node& value) { read_route_name(value, route.name); });
  object.optional("to", [&](const Node& value) { read_to(value, route); });
  object.optional("role", [&](const Node& value) { read_role(value, route); });
  read_route_options(object, problems_, spec.options);
  object.required("pipeline",
                  [&](const Node& value) { read_pipeline(value, route.pipeline, depth); });
  object.finish();
  if (problems_.size() == before) require_leaf(node, route.pipeline);
  spec.routes.push_back(std::move(route));
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
