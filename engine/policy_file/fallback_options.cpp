// The options of a fallback and of its routes.

#include "engine/core/document_text.hpp"
#include "engine/policy_file/policy_options.hpp"

namespace brownout {
namespace {

constexpr std::int64_t weight_max = 1'000'000;
constexpr Duration wait_default = std::chrono::seconds{10};

// "fail", or { "wait": { "at_most": "10s" } }.
void read_when_all_refuse(const Node& node, Problems& problems, FallbackOptions& options) {
  if (node.type == Node::Type::string) {
    if (node.text == "fail") return;
    problems.add(node, "unexpected value " + quoted(node.text),
                 "expected \"fail\" or { \"wait\": … }");
    return;
  }
  ObjectReader object(node, problems);
  object.required("wait", [&](const Node& value) {
    options.wait_at_most = wait_default;
    ObjectReader wait(value, problems);
    wait.optional("at_most", [&](const Node& most) {
      read_duration(most, problems, *options.wait_at_most, Duration{1});
    });
    wait.finish();
  });
  object.finish();
}

void read_cached(const Node& node, Problems& problems, FallbackOptions& options) {
  ObjectReader object(node, problems);
  const Node* ttl = object.optional("ttl");
  const Node* stale = object.optional("stale");
  if (ttl != nullptr) read_duration(*ttl, problems, options.cached_ttl, Duration{1});
  const bool read =
      stale != nullptr && read_duration(*stale, problems, options.cached_stale, Duration{1});
  if (read && options.cached_stale <= options.cached_ttl) {
    problems.add(*stale, "\"stale\" is not greater than \"ttl\"",
                 "\"ttl\" is " + format_duration(options.cached_ttl) +
                     (ttl != nullptr ? "" : " unless the file says otherwise"));
  }
  object.finish();
}

// One entry of "then": "cached" or an object with one of these keys.
void read_answer(const Node& item, Problems& problems, FallbackOptions& options) {
  const bool again = options.cached;
  if (item.type == Node::Type::string) {
    if (item.text != "cached") {
      problems.add(item, "unexpected value " + quoted(item.text),
                   "expected \"cached\" or { \"default\": … }");
      return;
    }
    if (again) problems.add(item, "a cached reply was looked for already");
    options.cached = true;
    return;
  }
  const std::size_t before = problems.size();
  ObjectReader object(item, problems);
  const Node* cached = object.optional("cached");
  const Node* reply = object.optional("default");
  object.finish();
  if (problems.size() != before) return;
  if ((cached == nullptr) == (reply == nullptr)) {
    problems.add(item, "expected \"cached\", { \"cached\": … } or { \"default\": … }");
    return;
  }
  if (cached != nullptr) {
    if (again) problems.add(item, "a cached reply was looked for already");
    options.cached = true;
    read_cached(*cached, problems, options);
  }
  if (reply != nullptr) {
    const std::string& text = reply->document->text();
    options.default_reply = std::make_shared<const std::string>(
        text.substr(reply->span.begin, reply->span.end - reply->span.begin));
  }
}

// "then" lists what answers when no route did: "cached" before a default reply.
void read_then(const Node& node, Problems& problems, FallbackOptions& options) {
  read_array(node, problems, [&](const Node& item) {
    if (options.default_reply) {
      problems.add(item, "nothing can follow a default reply: it always answers");
      return;
    }
    read_answer(item, problems, options);
  });
}

}  // namespace

void read_fallback_options(ObjectReader& fallback, Problems& problems, FallbackOptions& options) {
  fallback.optional("on", [&](const Node& value) { read_outcomes(value, problems, options.on); });
  fallback.optional("order", [&](const Node& value) {
    std::size_t word = 0;
    if (read_word(value, problems, {"listed", "weighted"}, word)) {
      options.order = static_cast<FallbackOptions::Order>(word);
    }
  });
  fallback.optional("max_routes", [&](const Node& value) {
    std::int64_t number = 0;
    if (read_integer(value, problems, number, 1, FallbackOptions::routes_max)) {
      options.max_routes = static_cast<std::uint8_t>(number);
    }
  });
  fallback.optional("when_all_refuse",
                    [&](const Node& value) { read_when_all_refuse(value, problems, options); });
  fallback.optional("then", [&](const Node& value) { read_then(value, problems, options); });
}

void read_route_options(ObjectReader& route, Problems& problems, FallbackOptions& options) {
  const bool first = options.routes.empty();
  FallbackRoute& read = options.routes.emplace_back();
  route.optional("for", [&](const Node& value) {
    read_outcomes(value, problems, read.only_for.emplace());
    if (first) {
      problems.add(value, "the first route cannot be for certain failures only",
                   "calls begin with it");
    }
  });
  route.optional("weight", [&](const Node& value) {
    std::int64_t number = 0;
    if (options.order == FallbackOptions::Order::listed) {
      problems.add(value, "\"weight\" has no effect without \"order\": \"weighted\"",
                   "routes are tried as they are listed");
    } else if (read_integer(value, problems, number, 1, weight_max)) {
      read.weight = static_cast<std::uint32_t>(number);
    }
  });
}

}  // namespace brownout
