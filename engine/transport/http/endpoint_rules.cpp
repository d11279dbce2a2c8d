#include "engine/transport/http/endpoint_rules.hpp"

#include <algorithm>
#include <array>

#include "engine/core/document_text.hpp"

namespace brownout::http {
namespace {

constexpr std::array<std::string_view, 9> own_headers{
    "host",   "content-length",  "content-type",       "transfer-encoding",      "connection",
    "accept", "x-brownout-call", "x-brownout-attempt", "x-brownout-input-tokens"};

std::string lower(std::string_view text) {
  std::string lowered(text);
  for (char& c : lowered) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lowered;
}

bool all_of(std::string_view text, std::string_view others) {
  return std::ranges::all_of(
      text, [&](char c) { return is_digit(c) || is_letter(c) || others.find(c) != others.npos; });
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint32_t port = 0;
  if (text.empty() || text.size() > 5 || !std::ranges::all_of(text, is_digit)) return std::nullopt;
  for (const char c : text) port = port * 10 + static_cast<std::uint32_t>(c - '0');
  if (port == 0 || port > 0xFFFF) return std::nullopt;
  return static_cast<std::uint16_t>(port);
}

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

/// Splits "host" and "[::1]" from the port behind them.
bool parse_authority(std::string_view text, Url& url) {
  std::string_view rest = text;
  url.authority = text;
  if (take(rest, "[")) {
    const std::size_t end = rest.find(']');
    if (end == rest.npos) return false;
    url.host = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    const bool hexadecimal = std::ranges::all_of(url.host, [](char c) {
      return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' ||
             c == '.';
    });
    if (!hexadecimal) return false;
  } else {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    url.host = rest.substr(0, end);
    rest.remove_prefix(end);
    if (!all_of(url.host, "._-")) return false;
  }
  if (url.host.empty()) return false;
  if (rest.empty()) return true;
  const auto port = take(rest, ":") ? parse_port(rest) : std::nullopt;
  if (port) url.port = *port;
  return port.has_value();
}

}  // namespace

std::optional<Url> parse_url(std::string_view text) {
  Url url;
  url.tls = take(text, "https://");
  if (!url.tls && !take(text, "http://")) return std::nullopt;
  url.port = url.tls ? 443 : 80;
  const std::size_t slash = std::min(text.find('/'), text.size());
  std::string_view path = text.substr(slash);
  if (!parse_authority(text.substr(0, slash), url)) return std::nullopt;
  if (!all_of(path, "-._~!$&'()*+,;=:%/")) return std::nullopt;
  while (path.ends_with('/')) path.remove_suffix(1);
  url.path = path;
  return url;
}

bool is_this_machine(std::string_view host) {
  if (host == "localhost" || host == "::1") return true;
  const bool numbers = std::ranges::all_of(host, [](char c) { return is_digit(c) || c == '.'; });
  return numbers && host.starts_with("127.") && std::ranges::count(host, '.') == 3;
}

bool is_header_name(std::string_view name) {
  return !name.empty() && all_of(name, "!#$%&'*+-.^_`|~");
}

bool is_header_value(std::string_view value) {
  return std::ranges::none_of(value, is_control);
}

bool is_own_header(std::string_view name, Dialect dialect) {
  const std::string lowered = lower(name);
  return std::ranges::find(own_headers, lowered) != own_headers.end() ||
         lowered == facts(dialect).key_header;
}

bool is_variable_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, is_word) && !is_digit(name.front());
}

bool is_visible(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

}  // namespace brownout::http
