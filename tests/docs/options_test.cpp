// The options tables of docs/policies against scenarios/schema/policy.schema.json, both ways.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/core/document.hpp"
#include "tests/docs/page.hpp"

namespace brownout::docs {
namespace {

// What the first columns of a row say of an option.
struct Option {
  std::string type;
  std::string range;
  std::string fallback;

  bool operator==(const Option&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Option& option) {
  return out << option.type << " | " << option.range << " | " << option.fallback;
}
using Options = std::map<std::string, Option>;

class Schema {
 public:
  Schema() : document_(*Document::load("scenarios/schema/policy.schema.json")) {}

  /// The options of a definition, or of an option inside one: "retry", "retry.wait".
  Options options_of(const std::string& path) const;

 private:
  const Node& definition(const std::string& name) const {
    if (name == "policy") return document_->root();
    return *document_->root().find("definitions")->find(name);
  }
  std::string source(const Node& node) const {
    return document_->text().substr(node.span.begin, node.span.end - node.span.begin);
  }
  static std::string reference_of(const Node& schema);
  static std::vector<const Node*> alternatives(const Node& schema);
  Option option(const Node& schema) const;
  void add_type(const Node& schema, Option& option) const;
  void collect(const Node& schema, const std::string& prefix, Options& options) const;

  std::unique_ptr<Document> document_;
};

std::string Schema::reference_of(const Node& schema) {
  const Node* reference = schema.find("$ref");
  if (reference == nullptr) {
    const Node* all = schema.find("allOf");
    if (all != nullptr && schema.find("properties") == nullptr)
      reference = all->items[0].find("$ref");
  }
  return reference == nullptr ? "" : reference->text.substr(std::string("#/definitions/").size());
}

std::vector<const Node*> Schema::alternatives(const Node& schema) {
  std::vector<const Node*> found;
  for (const char* key : {"anyOf", "oneOf"}) {
    const Node* list = schema.find(key);
    if (list == nullptr || schema.find("properties") != nullptr) continue;
    for (const Node& each : list->items) found.push_back(&each);
  }
  return found;
}

void append(std::string& text, const std::string& more) {
  if (!more.empty()) text += (text.empty() ? "" : " or ") + more;
}

void Schema::add_type(const Node& schema, Option& option) const {
  const std::string reference = reference_of(schema);
  if (!reference.empty()) {
    static const std::map<std::string, Option> named{
        {"duration", {"duration", "", ""}},
        {"positive_duration", {"duration", "> 0", ""}},
        {"day_duration", {"duration", "to 24h", ""}},
        {"outcomes", {"list of outcomes", "", ""}},
        {"jitter", {"jitter", "", ""}},
        {"name", {"name", "", ""}},
        {"pipeline", {"pipeline", "", ""}},
        {"wait", {"object", "", ""}},
    };
    const auto found = named.find(reference);
    ASSERT_NE(found, named.end()) << reference;
    append(option.type, found->second.type);
    append(option.range, found->second.range);
    return;
  }
  for (const Node* each : alternatives(schema)) add_type(*each, option);
  if (const Node* values = schema.find("enum")) {
    for (const Node& value : values->items) append(option.type, "`" + source(value) + "`");
  } else if (const Node* value = schema.find("const")) {
    append(option.type, "`" + source(*value) + "`");
  } else if (const Node* type = schema.find("type")) {
    append(option.type, type->text == "string"  ? "text"
                        : type->text == "array" ? "list"
                                                : type->text);
  }
  if (const Node* low = schema.find("minimum")) {
    append(option.range, low->text + " to " + schema.find("maximum")->text);
  }
}

Option Schema::option(const Node& schema) const {
  Option found;
  add_type(schema, found);
  if (const Node* fallback = schema.find("default")) found.fallback = "`" + source(*fallback) + "`";
  return found;
}

void Schema::collect(const Node& schema, const std::string& prefix, Options& options) const {
  const std::string reference = reference_of(schema);
  if (reference == "jitter" || reference == "outcomes" || reference == "pipeline") return;
  // A wait has a page of its own, where it is told from its root.
  if (reference == "wait" && !prefix.empty()) return;
  if (!reference.empty()) return collect(definition(reference), prefix, options);
  for (const Node* each : alternatives(schema)) collect(*each, prefix, options);
  const Node* items = schema.find("items");
  if (items != nullptr && items->type == Node::Type::object)
    collect(*items, prefix + "[]", options);
  if (items != nullptr && items->type == Node::Type::array) {
    for (const Node& each : items->items) collect(each, prefix + "[]", options);
  }
  const Node* properties = schema.find("properties");
  if (properties == nullptr) return;
  for (const auto& [key, span, value] : properties->members) {
    const std::string name = prefix.empty() ? key : prefix + "." + key;
    options.emplace(name, option(value));
    collect(value, name, options);
  }
}

Options Schema::options_of(const std::string& path) const {
  const auto dot = path.find('.');
  const Node* schema = &definition(path.substr(0, dot));
  if (dot != std::string::npos) schema = schema->find("properties")->find(path.substr(dot + 1));
  Options options;
  collect(*schema, "", options);
  return options;
}

// "`min`, `max`": every name between backticks.
std::vector<std::string> names_in(const std::string& cell) {
  std::vector<std::string> names;
  for (auto begin = cell.find('`'); begin != std::string::npos;) {
    const auto end = cell.find('`', begin + 1);
    names.push_back(cell.substr(begin + 1, end - begin - 1));
    begin = cell.find('`', end + 1);
  }
  return names;
}

// "retry without `wait`": what other pages tell inside that key; "timeout only `idle`": what a page
// repeats.
Options expected_of(const Schema& schema, const std::string& of) {
  const std::string path = of.substr(0, of.find(' '));
  Options options = schema.options_of(path);
  if (of == path) return options;
  const bool only = of.starts_with(path + " only ");
  const auto names = names_in(of);
  std::erase_if(options, [&](const auto& option) {
    return std::ranges::any_of(names,
                               [&](const std::string& name) {
                                 return option.first.starts_with(name + ".") ||
                                        option.first.starts_with(name + "[");
                               }) ||
           (only && std::ranges::find(names, option.first) == names.end());
  });
  for (const std::string& name : names) EXPECT_TRUE(options.contains(name)) << of;
  return options;
}

TEST(PolicyPages, OptionsTablesAreTheSchema) {
  const Schema schema;
  for (const Page& page : policy_pages()) {
    for (const OptionsTable& table : page.options()) {
      const std::string where = page.path() + ", options of " + table.of;
      Options told;
      for (const auto& row : table.rows) {
        ASSERT_EQ(row.size(), 6U) << where << ", " << row.front();
        EXPECT_FALSE(row[4].empty()) << where << ", " << row.front() << " has no meaning";
        for (const std::string& name : names_in(row[0])) {
          EXPECT_TRUE(told.emplace(name, Option{row[1], row[2], row[3]}).second)
              << where << ": " << name << " twice";
        }
      }
      const Options expected = expected_of(schema, table.of);
      for (const auto& [name, option] : expected) {
        ASSERT_TRUE(told.contains(name)) << where << " lacks " << name;
        EXPECT_EQ(told[name], option) << where << ", " << name;
      }
      for (const auto& [name, option] : told) {
        EXPECT_TRUE(expected.contains(name)) << where << " has " << name << ", the schema has not";
      }
    }
  }
}

TEST(PolicyPages, EveryLayerHasItsOptionsTold) {
  const auto schema = *Document::load("scenarios/schema/policy.schema.json");
  std::set<std::string> told;
  for (const Page& page : policy_pages()) {
    for (const OptionsTable& table : page.options()) {
      told.insert(table.of.substr(0, table.of.find(" without ")));
    }
  }
  std::vector<std::string> wanted{"policy", "budget", "jitter", "retry.wait", "retry.retry_after"};
  const Node* layers = schema->root().find("definitions")->find("layer")->find("properties");
  for (const auto& layer : layers->members) wanted.push_back(layer.key);
  for (const std::string& name : wanted) EXPECT_TRUE(told.contains(name)) << name;
}

}  // namespace
}  // namespace brownout::docs
