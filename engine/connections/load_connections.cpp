// The loader of connections files. scenarios/schema/connections.schema.json accepts the same files;
// a test holds the two against each other.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <utility>

#include "engine/connections/connections.hpp"
#include "engine/core/document_text.hpp"
#include "engine/transport/http/endpoint_rules.hpp"

namespace brownout {
namespace {

constexpr std::int64_t most_of_anything = 1'000'000;
constexpr std::int64_t least_bytes = 1024;
constexpr std::int64_t most_bytes = std::int64_t{1} << 40;

bool is_provider_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return is_word(c) || std::string_view(".-:@+").find(c) != std::string_view::npos;
  });
}

template <class Number>
void read_number_into(const Node& node, Problems& problems, Number& out, std::int64_t low,
                      std::int64_t high) {
  std::int64_t number = 0;
  if (read_integer(node, problems, number, low, high)) out = static_cast<Number>(number);
}

void read_text(const Node& node, Problems& problems, std::string& out, const char* what) {
  if (!read_string(node, problems, out)) return;
  if (out.empty() || !http::is_header_value(out))
    problems.add(node, fmt::format("expected {}", what));
}

void read_variable(const Node& node, Problems& problems, std::string& out) {
  if (!read_string(node, problems, out)) return;
  if (http::is_variable_name(out)) return;
  // It might be the key itself: nothing of it is shown.
  problems.add_unseen(*node.document, node.span, "this is not the name of an environment variable",
                      "letters, digits and _; the key itself belongs into the environment");
}

class ConnectionsReader {
 public:
  ConnectionsReader(std::filesystem::path folder, Problems& problems)
      : folder_(std::move(folder)), problems_(problems) {}

  void read(const Node& root, Connections& connections) {
    ObjectReader object(root, problems_);
    if (!read_header(root, object, problems_, "connections")) return;
    object.optional("description", [&](const Node& node) {
      read_string(node, problems_, connections.description);
    });
    object.required("providers", [&](const Node& node) { read_providers(node, connections); });
    object.optional("store", [&](const Node& node) {
      ObjectReader store(node, problems_);
      store.required("redis",
                     [&](const Node& redis) { read_redis(redis, connections.redis.emplace()); });
      store.finish();
    });
    object.finish();
  }

 private:
  void read_providers(const Node& node, Connections& connections) {
    if (node.type != Node::Type::object || node.members.empty()) {
      constexpr const char* note =
          "as in { \"openai\": { \"url\": \"https://api.openai.com/v1\" } }";
      const char* const message = "expected an object of providers";
      if (node.type == Node::Type::string) {
        problems_.add_unseen(*node.document, node.span, message, note);
      } else {
        problems_.add(node, message, note);
      }
      return;
    }
    for (const Node::Member& member : node.members) {
      if (!is_provider_name(member.key)) {
        problems_.add(*node.document, member.key_span,
                      brownout::quoted(member.key) + " is not the name of a provider",
                      "what stands before the slash of \"openai/gpt-4\"");
      }
      EndpointOptions& endpoint = connections.endpoints.emplace_back();
      endpoint.provider = member.key;
      read_endpoint(member.value, endpoint);
    }
  }

  void read_endpoint(const Node& node, EndpointOptions& endpoint) {
    ObjectReader object(node, problems_);
    object.optional("dialect", [&](const Node& value) {
      std::size_t word = 0;
      if (read_word(value, problems_, http::dialect_names(), word)) {
        endpoint.dialect = static_cast<http::Dialect>(word);
      }
    });
    object.required("url", [&](const Node& value) { read_string(value, problems_, endpoint.url); });
    read_keys(object, endpoint);
    object.optional("headers", [&](const Node& value) { read_headers(value, endpoint); });
    const Node* const ca_file = object.optional("ca_file");
    if (ca_file != nullptr) read_path(*ca_file, endpoint.ca_file);
    const Node* const plaintext = object.optional("plaintext");
    if (plaintext != nullptr) read_bool(*plaintext, problems_, endpoint.plaintext);
    const Node* const url = node.find("url");
    if (url != nullptr && url->type == Node::Type::string) {
      check_url(*url, endpoint, ca_file, plaintext);
    }
    read_cap_member(object, endpoint);
    read_sizes(object, endpoint);
    object.optional("call_headers",
                    [&](const Node& value) { read_bool(value, problems_, endpoint.call_headers); });
    object.optional("idempotency_key", [&](const Node& value) {
      if (!read_bool(value, problems_, endpoint.idempotency_key)) return;
      if (!endpoint.idempotency_key || endpoint.dialect == http::Dialect::openai) return;
      problems_.add(value, "this dialect has no header for an idempotency key");
    });
    object.finish();
  }

  void check_url(const Node& node, const EndpointOptions& endpoint, const Node* ca_file,
                 const Node* plaintext) {
    const auto url = http::parse_url(endpoint.url);
    if (!url) {
      // A key may be in it.
      problems_.add_unseen(*node.document, node.span, "this is not the URL of a provider",
                           "as in \"https://api.openai.com/v1\", without user and query");
      return;
    }
    if (!url->tls && !endpoint.plaintext && !http::is_this_machine(url->host)) {
      problems_.add_unseen(*node.document, node.span,
                           "keys and prompts would go to another machine in the clear",
                           "use https, or add \"plaintext\": true");
    }
    if (url->tls && endpoint.plaintext && plaintext != nullptr) {
      problems_.add(*plaintext, "\"plaintext\" has no effect on https");
    }
    if (!url->tls && ca_file != nullptr) {
      problems_.add(*ca_file, "\"ca_file\" has no effect on http");
    }
  }

  void read_keys(ObjectReader& object, EndpointOptions& endpoint) {
    const Node* const one = object.optional("key_variable");
    const Node* const several = object.optional("key_variables");
    if (one != nullptr && several != nullptr) {
      problems_.add(*several, "\"key_variable\" and \"key_variables\" exclude each other");
    }
    if (one != nullptr) read_variable(*one, problems_, endpoint.key_variables.emplace_back());
    if (several == nullptr) return;
    if (several->type == Node::Type::array && several->items.empty()) {
      problems_.add(*several, "expected at least one name");
    }
    if (several->type == Node::Type::string) {
      problems_.add_unseen(*several->document, several->span,
                           "expected an array but found a string");
      return;
    }
    read_array(*several, problems_, [&](const Node& item) {
      read_variable(item, problems_, endpoint.key_variables.emplace_back());
    });
  }

  void read_headers(const Node& node, EndpointOptions& endpoint) {
    if (node.type != Node::Type::object) {
      problems_.add_unseen(*node.document, node.span, "expected an object of headers",
                           "as in { \"x-team\": \"blue\" }");
      return;
    }
    for (const Node::Member& member : node.members) {
      std::string value;
      if (!http::is_header_name(member.key)) {
        problems_.add(*node.document, member.key_span,
                      brownout::quoted(member.key) + " is not the name of a header");
      } else if (http::is_own_header(member.key, endpoint.dialect)) {
        // Its value may be a key.
        problems_.add_unseen(
            *node.document, member.key_span,
            "the header " + brownout::quoted(member.key) + " is written by the transport");
      }
      if (!read_string(member.value, problems_, value)) continue;
      if (!http::is_header_value(value)) {
        problems_.add_unseen(*node.document, member.value.span,
                             "a header has no control characters");
      }
      endpoint.headers.emplace_back(member.key, std::move(value));
    }
  }

  void read_cap_member(ObjectReader& object, EndpointOptions& endpoint) {
    object.optional("cap_member", [&](const Node& value) {
      const std::vector<std::string_view> words{"max_completion_tokens", "max_tokens"};
      std::size_t word = 0;
      if (read_word(value, problems_, words, word)) endpoint.cap_member = words[word];
      if (endpoint.dialect != http::Dialect::openai) {
        problems_.add(value, "\"cap_member\" has no effect on this dialect");
      }
    });
  }

  void read_sizes(ObjectReader& object, EndpointOptions& endpoint) {
    object.optional("most_connections", [&](const Node& value) {
      read_number_into(value, problems_, endpoint.most_connections, 1, most_of_anything);
    });
    object.optional("most_idle", [&](const Node& value) {
      read_number_into(value, problems_, endpoint.most_idle, 0, most_of_anything);
    });
    object.optional("idle_for",
                    [&](const Node& value) { read_duration(value, problems_, endpoint.idle_for); });
    object.optional("most_header_bytes", [&](const Node& value) {
      read_number_into(value, problems_, endpoint.most_header_bytes, least_bytes, most_bytes);
    });
    object.optional("most_reply_bytes", [&](const Node& value) {
      read_number_into(value, problems_, endpoint.most_reply_bytes, least_bytes, most_bytes);
    });
    object.optional("most_line_bytes", [&](const Node& value) {
      read_number_into(value, problems_, endpoint.most_line_bytes, least_bytes, most_bytes);
    });
  }

  void read_path(const Node& node, std::string& path) {
    std::string text;
    read_text(node, problems_, text, "the path of a file");
    path = (folder_ / text).lexically_normal().string();
  }

  void read_redis(const Node& node, RedisOptions& redis) {
    ObjectReader object(node, problems_);
    const Node* const host = object.optional("host");
    if (host != nullptr) read_text(*host, problems_, redis.host, "the name or address of a host");
    const Node* const port = object.optional("port");
    if (port != nullptr) read_number_into(*port, problems_, redis.port, 1, 0xFFFF);
    object.optional("unix_socket", [&](const Node& value) {
      read_text(value, problems_, redis.unix_socket, "the path of a socket");
      if (host == nullptr && port == nullptr) return;
      problems_.add(value, "\"unix_socket\" excludes \"host\" and \"port\"");
    });
    object.optional("database", [&](const Node& value) {
      read_number_into(value, problems_, redis.database, 0, most_of_anything);
    });
    const bool password = object.optional("password_variable", [&](const Node& value) {
      read_variable(value, problems_, redis.password_variable);
    });
    object.optional("user", [&](const Node& value) {
      read_text(value, problems_, redis.user, "the name of a user");
      if (!password) problems_.add(value, "\"user\" has no effect without \"password_variable\"");
    });
    object.optional("key_prefix", [&](const Node& value) {
      constexpr std::size_t most = 256;
      if (!read_string(value, problems_, redis.key_prefix)) return;
      if (redis.key_prefix.size() > most) {
        problems_.add(value, fmt::format("a prefix has at most {} bytes", most));
      }
    });
    read_patience(object, redis);
    object.finish();
  }

  void read_patience(ObjectReader& object, RedisOptions& redis) {
    const auto duration = [&](const char* key, Duration& out) {
      return object.optional(
          key, [&](const Node& value) { read_duration(value, problems_, out, Duration{1}); });
    };
    duration("connect_timeout", redis.connect_timeout);
    duration("command_timeout", redis.command_timeout);
    duration("first_reconnect_wait", redis.first_reconnect_wait);
    object.optional("longest_reconnect_wait", [&](const Node& value) {
      if (!read_duration(value, problems_, redis.longest_reconnect_wait, Duration{1})) return;
      if (redis.first_reconnect_wait <= redis.longest_reconnect_wait) return;
      problems_.add(value, "\"first_reconnect_wait\" is greater than \"longest_reconnect_wait\"");
    });
    object.optional("most_pending", [&](const Node& value) {
      read_number_into(value, problems_, redis.most_pending, 1, most_of_anything);
    });
    object.optional("most_pending_bytes", [&](const Node& value) {
      read_number_into(value, problems_, redis.most_pending_bytes, 1, most_bytes);
    });
  }

  const std::filesystem::path folder_;
  Problems& problems_;
};

Result<Connections> read_connections(const std::string& path,
                                     Result<std::unique_ptr<Document>> document) {
  if (!document) return tl::unexpected(std::move(document.error()));
  Connections connections;
  Problems problems;
  ConnectionsReader(std::filesystem::path(path).parent_path(), problems)
      .read((*document)->root(), connections);
  if (!problems.empty()) return tl::unexpected(problems.take());
  connections.document = std::move(*document);
  return connections;
}

}  // namespace

Problems find_traps(const Connections& connections) {
  Problems problems;
  const Node* const providers = connections.document->root().find("providers");
  for (const EndpointOptions& endpoint : connections.endpoints) {
    const Node& node = *providers->find(endpoint.provider)->find("url");
    const bool is_anthropic = endpoint.dialect == http::Dialect::anthropic;
    const auto endings =
        is_anthropic
            ? std::vector<std::string_view>{"/v1/messages", "/messages", "/v1"}
            : std::vector<std::string_view>{"/chat/completions", "/completions", "/responses"};
    const std::string path = http::parse_url(endpoint.url)->path;
    const auto found = std::ranges::find_if(
        endings, [&](std::string_view ending) { return path.ends_with(ending); });
    if (found == endings.end()) continue;
    problems.add_unseen(
        *node.document, node.span,
        fmt::format("the URL ends in {}, and the dialect adds {} to it", brownout::quoted(*found),
                    brownout::quoted(is_anthropic ? "/v1/messages" : "/chat/completions")),
        fmt::format("leave {} out, as in \"{}\"", *found,
                    is_anthropic ? "https://api.anthropic.com" : "https://api.openai.com/v1"));
  }
  return problems;
}

Result<Connections> load_connections(const std::string& path) {
  return read_connections(path, Document::load(path));
}

Result<Connections> parse_connections(std::string name, std::string text) {
  return read_connections(name, Document::parse(name, std::move(text)));
}

}  // namespace brownout
