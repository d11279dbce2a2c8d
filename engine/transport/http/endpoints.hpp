#pragma once

// Where providers are and how to speak to them.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/core/result.hpp"
#include "engine/core/time.hpp"
#include "engine/transport/http/dialect.hpp"

namespace brownout {

struct EndpointOptions {
  /// The part before the slash of "openai/gpt-4"; what follows it is the model that requests name.
  std::string provider{};

  /// "https://api.openai.com/v1", "http://127.0.0.1:8080": the base, to which the dialect adds its
  /// path as the official clients do (/chat/completions, /v1/messages). Without user, query and
  /// fragment.
  std::string url{};

  /// Default openai.
  http::Dialect dialect = http::Dialect::openai;

  /// Names of the environment variables that hold the API keys; Request::credential picks one by
  /// its place. Keys are read once, by HttpEndpoints::open(); they are in no option, message, log
  /// or exception. Default: none, and no header carries a key.
  std::vector<std::string> key_variables{};

  /// Further headers of every request. Default none.
  std::vector<std::pair<std::string, std::string>> headers{};

  /// PEM file of certificate authorities to trust beside the system's. Default none.
  std::string ca_file{};

  /// Allows http:// to other hosts than this one, where keys and prompts travel in the clear.
  /// Default false: refused.
  bool plaintext = false;

  /// The member that caps the output where a body has none; for `openai`. Default
  /// max_completion_tokens, which OpenAI's reasoning models insist on; servers that came later may
  /// know max_tokens only.
  std::string cap_member = "max_completion_tokens";

  /// Connections at once, of each transport; attempts above wait for one, under their limits. At
  /// least 1. Default 256.
  std::uint32_t most_connections = 256;

  /// Of them, those that are kept for the next attempt, and for how long. 0 keeps none; a server
  /// that says `keep-alive: timeout=N` is believed when that is shorter. Default 64, 30 s.
  std::uint32_t most_idle = 64;
  Duration idle_for = std::chrono::seconds{30};

  /// The most that is read of an answer: its headers, its body, and of a stream a line or an event.
  /// More is a malformed_reply. At least 1 KiB each. Default 64 KiB, 32 MiB, 1 MiB.
  std::size_t most_header_bytes = std::size_t{64} << 10;
  std::size_t most_reply_bytes = std::size_t{32} << 20;
  std::size_t most_line_bytes = std::size_t{1} << 20;

  /// Sends `x-brownout-call` (the call's number) and `x-brownout-attempt` (of the call at this
  /// target, from 0), by which a mock server finds out which attempts belong together, and
  /// `x-brownout-input-tokens`, where Request::input_tokens says how many. Default false: providers
  /// are told nothing of our numbers.
  bool call_headers = false;

  /// Sends an idempotency key, the same for all attempts of a call, in the header that the dialect
  /// has for it (`openai`: idempotency-key; `anthropic` has none and refuses the option). A server
  /// that keeps to it answers a repeated request without working twice. Not for routes with hedges,
  /// whose copies would get in each other's way. Default false.
  bool idempotency_key = false;
};

/// Endpoints made ready: addresses taken apart, keys read, certificates loaded. Shared by
/// transports.
///
/// *Threads*: immutable.
class HttpEndpoints {
 public:
  /// Errors: everything that is wrong with the options, an environment variable that is not set or
  /// empty (by its name), a CA file that cannot be read. Nothing is asked of the network.
  static Result<std::shared_ptr<const HttpEndpoints>> open(std::vector<EndpointOptions> options);

  HttpEndpoints(const HttpEndpoints&) = delete;
  HttpEndpoints& operator=(const HttpEndpoints&) = delete;
  ~HttpEndpoints();

  /// Whether there is an endpoint for "provider/model".
  bool reaches(std::string_view target) const;

  /// For the transport.
  struct Endpoint;
  const std::vector<Endpoint>& all() const { return endpoints_; }

 private:
  HttpEndpoints();

  std::vector<Endpoint> endpoints_;
};

}  // namespace brownout
