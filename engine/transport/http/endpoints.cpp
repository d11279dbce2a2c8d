#include "engine/transport/http/endpoints.hpp"

#include <fmt/format.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <cstdlib>
#include <optional>

#include "engine/transport/http/endpoint.hpp"

namespace brownout {
namespace {

namespace ssl = boost::asio::ssl;

struct Url {
  bool tls = false;
  std::string host;
  std::string authority;  // as the host header wants it
  std::uint16_t port = 0;
  std::string path;  // without a slash at its end
};

bool is_visible(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

std::optional<std::uint16_t> read_port(std::string_view text) {
  std::uint32_t port = 0;
  if (text.empty() || text.size() > 5) return std::nullopt;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    port = port * 10 + static_cast<std::uint32_t>(c - '0');
  }
  if (port == 0 || port > 0xFFFF) return std::nullopt;
  return static_cast<std::uint16_t>(port);
}

std::optional<Url> read_url(std::string_view text) {
  Url url;
  if (!is_visible(text)) return std::nullopt;
  if (text.starts_with("https://")) {
    url.tls = true;
    text.remove_prefix(8);
  } else if (text.starts_with("http://")) {
    text.remove_prefix(7);
  } else {
    return std::nullopt;
  }
  const std::size_t slash = text.find('/');
  std::string_view host = text.substr(0, slash);
  std::string_view path = slash == text.npos ? std::string_view{} : text.substr(slash);
  while (path.ends_with('/')) path.remove_suffix(1);
  if (text.find_first_of("?#@\\") != text.npos) return std::nullopt;
  url.authority = host;
  url.path = path;
  url.port = url.tls ? 443 : 80;
  const std::size_t bracket = host.find(']');
  const std::size_t colon = host.find(':', bracket == host.npos ? 0 : bracket);
  if (colon != host.npos) {
    const auto port = read_port(host.substr(colon + 1));
    if (!port) return std::nullopt;
    url.port = *port;
    host = host.substr(0, colon);
  }
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty() || host.find_first_of("[]") != host.npos) return std::nullopt;
  url.host = host;
  return url;
}

bool is_this_machine(const std::string& host) {
  if (host == "localhost") return true;
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(host, error);
  return !error && address.is_loopback();
}

bool is_header_name(std::string_view name) {
  constexpr std::string_view others = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::ranges::all_of(name, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           others.find(c) != others.npos;
  });
}

bool is_header_value(std::string_view value) {
  return std::ranges::none_of(
      value, [](char c) { return c == '\r' || c == '\n' || c == '\0' || c == '\x7f'; });
}

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

/// What the transport itself writes.
bool is_ours(const std::string& name, http::Dialect dialect) {
  constexpr std::string_view names[] = {
      "host",   "content-length",  "content-type",      "connection", "transfer-encoding",
      "accept", "x-brownout-call", "x-brownout-attempt"};
  const std::string lowered = lower(name);
  return std::ranges::find(names, lowered) != std::end(names) ||
         lowered == http::facts(dialect).key_header;
}

class Opener {
 public:
  explicit Opener(Errors& errors) : errors_(errors) {}

  HttpEndpoints::Endpoint open(EndpointOptions&& options) {
    HttpEndpoints::Endpoint endpoint;
    endpoint.options = std::move(options);
    provider_ = endpoint.options.provider;
    check(endpoint.options);
    const auto url = read_url(endpoint.options.url);
    if (!url) {
      invalid("'" + endpoint.options.url + "' is not a URL such as https://host:port/path");
      return endpoint;
    }
    if (!url->tls && !endpoint.options.plaintext && !is_this_machine(url->host)) {
      invalid("http:// would send keys and prompts to '" + url->host + "' in the clear");
    }
    endpoint.host = url->host;
    endpoint.port = url->port;
    if (url->tls) endpoint.tls = open_tls(endpoint.options.ca_file);
    write_heads(*url, endpoint);
    return endpoint;
  }

 private:
  void invalid(std::string message) {
    errors_.push_back({ErrorKind::invalid, "provider '" + provider_ + "': " + message, {}});
  }
  void environment(std::string message) {
    errors_.push_back({ErrorKind::environment, "provider '" + provider_ + "': " + message, {}});
  }

  void check(const EndpointOptions& options) {
    if (options.provider.empty() || options.provider.find('/') != std::string::npos) {
      invalid("a provider has a name without a slash");
    }
    if (options.most_connections == 0) invalid("no connections are allowed");
    if (options.idle_for < Duration{}) invalid("idle_for is negative");
    constexpr std::size_t least = 1024;
    if (std::min({options.most_header_bytes, options.most_reply_bytes, options.most_line_bytes}) <
        least) {
      invalid("limits on bytes are at least 1,024");
    }
    if (options.idempotency_key && http::facts(options.dialect).idempotency_header.empty()) {
      invalid("the dialect " + std::string(to_string(options.dialect)) +
              " has no header for an idempotency key");
    }
    for (const auto& [name, value] : options.headers) {
      if (!is_header_name(name)) invalid("'" + name + "' is not a header's name");
      if (is_ours(name, options.dialect)) invalid("the header '" + name + "' is not yours to set");
      if (!is_header_value(value)) invalid("the header '" + name + "' has a line break in it");
    }
  }

  std::shared_ptr<ssl::context> open_tls(const std::string& ca_file) {
    auto context = std::make_shared<ssl::context>(ssl::context::tls_client);
    boost::system::error_code error;
    context->set_verify_mode(ssl::verify_peer, error);
    context->set_default_verify_paths(error);
    if (error) environment("the system's certificate authorities: " + error.message());
    if (!ca_file.empty()) {
      context->load_verify_file(ca_file, error);
      if (error) environment("ca_file '" + ca_file + "': " + error.message());
    }
    SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
    constexpr unsigned char alpn[] = "\x08http/1.1";
    SSL_CTX_set_alpn_protos(context->native_handle(), alpn, sizeof alpn - 1);
    return context;
  }

  std::string key_of(const std::string& variable) {
    const char* const value = std::getenv(variable.c_str());
    if (value == nullptr || *value == '\0') {
      environment("the environment variable " + variable + " is not set");
      return {};
    }
    if (!is_visible(value)) {
      environment("the environment variable " + variable +
                  " holds what cannot be sent: spaces, line breaks or letters beyond ASCII");
      return {};
    }
    return value;
  }

  /// Everything of a request's head that does not depend on the request.
  void write_heads(const Url& url, HttpEndpoints::Endpoint& endpoint) {
    const http::DialectFacts& dialect = http::facts(endpoint.options.dialect);
    std::string head = fmt::format(
        "POST {}{} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n"
        "accept: application/json, text/event-stream\r\n",
        url.path, dialect.path, url.authority);
    bool agent = false;
    for (const auto& [name, value] : endpoint.options.headers) {
      head += fmt::format("{}: {}\r\n", name, value);
      agent = agent || lower(name) == "user-agent";
    }
    if (!agent) head += "user-agent: brownout\r\n";
    if (!dialect.version_header.empty()) {
      const bool given = std::ranges::any_of(endpoint.options.headers, [&](const auto& field) {
        return lower(field.first) == dialect.version_header;
      });
      if (!given) head += fmt::format("{}: {}\r\n", dialect.version_header, dialect.version);
    }
    for (const std::string& variable : endpoint.options.key_variables) {
      const std::string key = key_of(variable);
      endpoint.heads.push_back(
          fmt::format("{}{}: {}{}\r\n", head, dialect.key_header, dialect.key_prefix, key));
    }
    if (endpoint.heads.empty()) endpoint.heads.push_back(std::move(head));
  }

  Errors& errors_;
  std::string provider_;
};

}  // namespace

HttpEndpoints::HttpEndpoints() = default;
HttpEndpoints::~HttpEndpoints() = default;

Result<std::shared_ptr<const HttpEndpoints>> HttpEndpoints::open(
    std::vector<EndpointOptions> options) {
  std::shared_ptr<HttpEndpoints> opened(new HttpEndpoints);
  Errors errors;
  Opener opener(errors);
  for (EndpointOptions& each : options) {
    const bool twice = std::ranges::any_of(opened->endpoints_, [&](const Endpoint& other) {
      return other.options.provider == each.provider;
    });
    if (twice) {
      errors.push_back({ErrorKind::invalid, "provider '" + each.provider + "' is there twice", {}});
    }
    opened->endpoints_.push_back(opener.open(std::move(each)));
  }
  if (!errors.empty()) return tl::unexpected(std::move(errors));
  return opened;
}

bool HttpEndpoints::reaches(std::string_view target) const {
  const std::size_t slash = target.find('/');
  return slash != target.npos && std::ranges::any_of(endpoints_, [&](const Endpoint& endpoint) {
           return endpoint.options.provider == target.substr(0, slash);
         });
}

}  // namespace brownout
