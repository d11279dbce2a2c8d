#include "engine/transport/http/endpoints.hpp"

#include <fmt/format.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstdlib>

#include "engine/transport/http/endpoint.hpp"
#include "engine/transport/http/endpoint_rules.hpp"

namespace brownout {
namespace {

namespace ssl = boost::asio::ssl;

bool is_called(std::string_view name, std::string_view lowered) {
  return std::ranges::equal(name, lowered, [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

class Opener {
 public:
  explicit Opener(Errors& errors) : errors_(errors) {}

  HttpEndpoints::Endpoint open(EndpointOptions&& options) {
    HttpEndpoints::Endpoint endpoint;
    endpoint.options = std::move(options);
    provider_ = endpoint.options.provider;
    check(endpoint.options);
    const auto url = http::parse_url(endpoint.options.url);
    if (!url) {
      // A key may be in it.
      invalid("url is not a URL such as https://host:port/path, without user and query");
      return endpoint;
    }
    if (!url->tls && !endpoint.options.plaintext && !http::is_this_machine(url->host)) {
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
      if (!http::is_header_name(name)) invalid("'" + name + "' is not a header's name");
      if (http::is_own_header(name, options.dialect))
        invalid("the header '" + name + "' is not yours to set");
      if (!http::is_header_value(value))
        invalid("the header '" + name + "' has a control character in it");
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
    if (!http::is_visible(value)) {
      environment("the environment variable " + variable +
                  " holds what cannot be sent: spaces, line breaks or letters beyond ASCII");
      return {};
    }
    return value;
  }

  /// Everything of a request's head that does not depend on the request.
  void write_heads(const http::Url& url, HttpEndpoints::Endpoint& endpoint) {
    const http::DialectFacts& dialect = http::facts(endpoint.options.dialect);
    std::string head = fmt::format(
        "POST {}{} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n"
        "accept: application/json, text/event-stream\r\n",
        url.path, dialect.path, url.authority);
    bool agent = false;
    for (const auto& [name, value] : endpoint.options.headers) {
      head += fmt::format("{}: {}\r\n", name, value);
      agent = agent || is_called(name, "user-agent");
    }
    if (!agent) head += "user-agent: brownout\r\n";
    if (!dialect.version_header.empty()) {
      const bool given = std::ranges::any_of(endpoint.options.headers, [&](const auto& field) {
        return is_called(field.first, dialect.version_header);
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
