#include "engine/transport/http/dialect.hpp"

#include <array>

namespace brownout::http {
namespace {

constexpr std::array<DialectFacts, 2> dialects{{
    {.path = "/chat/completions",
     .key_header = "authorization",
     .key_prefix = "Bearer ",
     .version_header = "",
     .version = "",
     .idempotency_header = "idempotency-key"},
    {.path = "/v1/messages",
     .key_header = "x-api-key",
     .key_prefix = "",
     .version_header = "anthropic-version",
     .version = "2023-06-01",
     .idempotency_header = ""},
}};

}  // namespace

std::string_view to_string(Dialect dialect) {
  return dialect_names()[static_cast<std::size_t>(dialect)];
}

const std::vector<std::string_view>& dialect_names() {
  static const std::vector<std::string_view> names{"openai", "anthropic"};
  return names;
}

const DialectFacts& facts(Dialect dialect) {
  return dialects[static_cast<std::size_t>(dialect)];
}

}  // namespace brownout::http
