#pragma once

// What an endpoint may be told to be, wherever the telling comes from.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/transport/http/dialect.hpp"

namespace brownout::http {

struct Url {
  bool tls = false;
  std::string host;        ///< a name or an address, without brackets
  std::string authority;   ///< as the host header wants it
  std::uint16_t port = 0;  ///< by default that of the scheme
  std::string path;        ///< without a slash at its end
};

/// "https://host:port/path" or "http://…": a name, an IPv4 address or an IPv6 address in brackets;
/// a path of letters, digits and -._~!$&'()*+,;=:%/ . Nothing else: no user, query or fragment.
std::optional<Url> parse_url(std::string_view text);

/// localhost, 127.0.0.0/8 or ::1.
bool is_this_machine(std::string_view host);

/// A token of RFC 9110 (5.6.2).
bool is_header_name(std::string_view name);
/// Without control characters, so that it stays one header.
bool is_header_value(std::string_view value);

/// A header that the transport writes itself, upper and lower case alike.
bool is_own_header(std::string_view name, Dialect dialect);

/// A name that an environment variable can have: letters, digits and _, no digit first.
bool is_variable_name(std::string_view name);

/// Without control characters, blanks and what is not ASCII: fit to be a key in a header.
bool is_visible(std::string_view text);

}  // namespace brownout::http
