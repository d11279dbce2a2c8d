#pragma once

// Attempts over HTTP, by Boost.Asio: no thread per attempt, and a limit or a lost hedge ends the
// request at the provider.
//
//     auto endpoints = HttpEndpoints::open({{.provider = "openai",
//                                            .url = "https://api.openai.com/v1",
//                                            .key_variables = {"OPENAI_API_KEY"}}});
//     auto client = Client::make(executor, policy, [&](AsioRuntime& runtime, const auto& targets) {
//       return std::make_unique<HttpTransport>(runtime, *endpoints, targets);
//     });

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "engine/runtime/asio_runtime.hpp"
#include "engine/transport/http/endpoints.hpp"
#include "engine/transport/transport.hpp"

namespace brownout {

/// What an outcome cannot tell: why a connection failed. For logs; it holds no keys, no headers and
/// nothing of requests or replies.
struct HttpTrouble {
  std::string_view provider;
  std::string_view stage;  ///< "resolve", "connect", "handshake", "write", "read" or "parse"
  std::error_code error;   ///< of the operating system, OpenSSL or the parser
  std::string message;     ///< the same in words
};

/// What a transport has done so far.
struct HttpCounts {
  std::uint64_t attempts = 0;
  std::uint64_t connections = 0;  ///< made or tried
  std::uint64_t reused = 0;       ///< attempts that began on a kept connection
  std::uint64_t stale = 0;        ///< kept connections found closed before anything was sent
  std::uint64_t resent = 0;       ///< requests sent again; see HttpTransport
  std::uint64_t open = 0;         ///< connections now, kept ones included
  std::uint64_t idle = 0;         ///< kept ones now
};

/// Speaks to providers in their dialects (dialect.hpp says what a Request::body is).
///
/// *Limits* are kept here: `connect` covers waiting for a free connection, name lookup, TCP and
/// TLS; `first_token` and `idle` are kept by output of the model, whichever kind, not by pings. An
/// attempt that ends as `timed_out` or is detached closes its connection at once, so its provider
/// can stop. What came by then is billed as ReplyDecoder says.
///
/// *A reply is over* with its last frame, not with its last byte: the connection is then read to
/// the end of the message for up to 250 ms, and kept. A stream of OpenAI that has said why it ends
/// is a success even if it then breaks or a limit passes; only its bill may be missing.
///
/// *Kept connections* may be closed by their server at any time, also just when a request is on its
/// way. One that is known to be closed is not used. A request on a kept one that ends before any
/// byte of an answer is sent again on a fresh one, once, if nobody can have worked on it: when less
/// than all of it had been written, or when the server ended the connection in order (FIN, no
/// RST) without having acknowledged a byte of it, as Linux tells (TCP_INFO): then its FIN was on
/// the way first. In every other case a completion may have been made and billed, POST is not
/// idempotent (RFC 9110, 9.2.2), and the attempt ends as `connection`: whether to try again is the
/// policy's to say.
///
/// *Redirects* are not followed, answers of 1xx skipped, compressed bodies refused, as none was
/// asked for. *Name lookup* is Asio's, which has one thread for an io_context.
///
/// *Ownership*: refers to the runtime, shares the endpoints. *Threads*: the runtime's; destroyed
/// there or when nothing runs on its executor any more. *Determinism*: none.
class HttpTransport final : public Transport {
 public:
  /// Called on the runtime's thread. May not use the transport.
  using OnTrouble = std::function<void(const HttpTrouble&)>;

  /// `targets[i]` is the "provider/model" of target i. Requires: endpoints->reaches() each.
  HttpTransport(AsioRuntime& runtime, std::shared_ptr<const HttpEndpoints> endpoints,
                const std::vector<std::string>& targets, OnTrouble on_trouble = {});

  /// Attempts that have not ended are given up; their listeners hear nothing.
  ~HttpTransport() override;

  /// A body that cannot be sent, or a credential that is not there, ends as `invalid_request`
  /// without asking anybody.
  Handle start(const Attempt& attempt, AttemptListener& listener) override;
  Outcome detach(Handle handle) override;

  HttpCounts counts() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace brownout
