// A retry's "wait": one shape by its name, with bounds and jitter.

#include <algorithm>

#include "engine/core/document_text.hpp"
#include "engine/policy_file/policy_options.hpp"

namespace brownout {
namespace {

using Shape = BackoffOptions::Shape;

const std::vector<std::string_view> shape_names{"fixed",     "linear", "exponential",
                                                "fibonacci", "random", "listed"};
const std::vector<std::string_view> plain_jitters{"none", "full", "equal", "decorrelated",
                                                  "decorrelated_v2"};

void read_plain_jitter(const Node& node, Problems& problems, BackoffOptions& options) {
  constexpr Jitter jitters[] = {Jitter::none, Jitter::full, Jitter::equal, Jitter::decorrelated,
                                Jitter::decorrelated_v2};
  std::size_t word = 0;
  if (read_word(node, problems, plain_jitters, word)) options.jitter = jitters[word];
}

void read_proportional(const Node& node, Problems& problems, BackoffOptions& options) {
  constexpr double factor_max = 10;
  options.jitter = Jitter::proportional;
  ObjectReader object(node, problems);
  object.required("from", [&](const Node& value) {
    read_per_mille(value, problems, options.spread_low_per_mille, factor_max);
  });
  object.required("to", [&](const Node& value) {
    read_per_mille(value, problems, options.spread_high_per_mille, factor_max);
  });
  object.finish();
  const Node* from = node.find("from");
  if (from != nullptr && options.spread_low_per_mille > options.spread_high_per_mille) {
    problems.add(*from, "\"from\" is greater than \"to\"");
    options.spread_high_per_mille = options.spread_low_per_mille;
  }
}

// A word, { "proportional": { "from": 0.75, "to": 1.25 } } or { "additive": "1s" }.
void read_jitter(const Node& node, Problems& problems, BackoffOptions& options) {
  if (node.type != Node::Type::object) return read_plain_jitter(node, problems, options);
  ObjectReader object(node, problems);
  const Node* proportional = object.optional("proportional");
  const Node* additive = object.optional("additive");
  const std::size_t before = problems.size();
  object.finish();
  if (problems.size() != before) return;
  if ((proportional == nullptr) == (additive == nullptr)) {
    problems.add(node, "a jitter has one kind", "expected one of: proportional, additive");
    return;
  }
  if (proportional != nullptr) return read_proportional(*proportional, problems, options);
  options.jitter = Jitter::additive;
  read_duration(*additive, problems, options.addition, Duration{0}, std::chrono::hours{24});
}

void check_bounds(const Node& node, Problems& problems, BackoffOptions& options) {
  const Node* min = node.find("min");
  if (min == nullptr || options.min <= options.max) return;
  const bool said = node.find("max") != nullptr;
  problems.add(*min, "\"min\" is greater than \"max\"",
               "\"max\" is " + format_duration(options.max) +
                   (said ? "" : " unless the file says otherwise"));
  options.max = options.min;
}

void read_common(const Node& node, ObjectReader& object, Problems& problems,
                 BackoffOptions& options) {
  object.optional("jitter", [&](const Node& value) { read_jitter(value, problems, options); });
  object.optional("jitter_first",
                  [&](const Node& value) { read_bool(value, problems, options.jitter_first); });
  object.finish();
  check_bounds(node, problems, options);
}

void read_bounds(ObjectReader& object, Problems& problems, BackoffOptions& options) {
  object.optional("min", [&](const Node& value) { read_duration(value, problems, options.min); });
  object.optional(
      "max", [&](const Node& value) { read_duration(value, problems, options.max, Duration{1}); });
}

// The shapes that grow from a first wait.
void read_growing(const Node& node, Problems& problems, BackoffOptions& options) {
  ObjectReader object(node, problems);
  object.optional("multiplier", [&](const Node& value) {
    read_duration(value, problems, options.multiplier, Duration{1});
  });
  if (options.shape == Shape::exponential) {
    object.optional("factor", [&](const Node& value) {
      double factor = 0;
      if (read_number(value, problems, factor, 1, 100)) {
        read_per_mille(value, problems, options.factor_per_mille, 100);
      }
    });
  }
  read_bounds(object, problems, options);
  object.optional("bound", [&](const Node& value) {
    std::size_t word = 0;
    if (read_word(value, problems, {"before_jitter", "after_jitter"}, word)) {
      options.bound_after_jitter = word == 1;
    }
  });
  read_common(node, object, problems, options);
}

void read_random(const Node& node, Problems& problems, BackoffOptions& options) {
  ObjectReader object(node, problems);
  read_bounds(object, problems, options);
  object.finish();
  check_bounds(node, problems, options);
}

// { "wait": "2s", "jitter": … }, or the wait alone.
void read_fixed(const Node& node, Problems& problems, BackoffOptions& options) {
  options.jitter = Jitter::none;
  options.multiplier = {};
  if (node.type == Node::Type::string) {
    read_duration(node, problems, options.multiplier);
    return;
  }
  ObjectReader object(node, problems);
  object.required("wait",
                  [&](const Node& value) { read_duration(value, problems, options.multiplier); });
  read_common(node, object, problems, options);
}

// { "waits": [ "1s", "5s" ], "jitter": … }, or the waits alone.
void read_listed(const Node& node, Problems& problems, BackoffOptions& options) {
  options.jitter = Jitter::none;
  const auto read_waits = [&](const Node& list) {
    const bool read = read_array(list, problems, [&](const Node& item) {
      read_duration(item, problems, options.list.emplace_back());
    });
    if (read && list.items.empty()) problems.add(list, "this list names no wait");
  };
  if (node.type == Node::Type::array) {
    read_waits(node);
  } else {
    ObjectReader object(node, problems);
    object.required("waits", read_waits);
    read_common(node, object, problems, options);
  }
  if (options.list.empty()) options.list.emplace_back();
}

}  // namespace

void read_wait(const Node& node, Problems& problems, BackoffOptions& options) {
  if (node.type == Node::Type::string) {
    const std::string note = "did you mean { \"fixed\": " + quoted(node.text) + " }?";
    problems.add(node, "a wait has a shape", parse_duration(node.text) ? note : "");
    return;
  }
  ObjectReader object(node, problems);
  const Node* chosen = nullptr;
  std::size_t shape = 0;
  int given = 0;
  for (std::size_t i = 0; i < shape_names.size(); ++i) {
    const Node* value = object.optional(shape_names[i]);
    if (value == nullptr) continue;
    chosen = value;
    shape = i;
    ++given;
  }
  const std::size_t before = problems.size();
  object.finish();
  if (problems.size() != before) return;
  if (node.type == Node::Type::object && given != 1) {
    problems.add(node, "a wait has one shape", expected_one_of("", shape_names));
    return;
  }
  if (chosen == nullptr) return;
  options.shape = static_cast<Shape>(shape);
  switch (options.shape) {
    case Shape::fixed:
      return read_fixed(*chosen, problems, options);
    case Shape::listed:
      return read_listed(*chosen, problems, options);
    case Shape::random:
      return read_random(*chosen, problems, options);
    case Shape::linear:
    case Shape::exponential:
    case Shape::fibonacci:
      return read_growing(*chosen, problems, options);
  }
}

}  // namespace brownout
