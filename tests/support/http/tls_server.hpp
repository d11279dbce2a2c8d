#pragma once

// Certificates made for a test, and a server that shows one.

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

namespace brownout::testing {

/// A certificate authority and certificates of its own, in a folder that goes with this.
class Authority {
 public:
  Authority();
  ~Authority();

  /// PEM file that whoever trusts this authority is given.
  std::string file() const { return folder_ + "/ca.pem"; }

  struct Certificate {
    std::string chain;
    std::string key;
  };
  /// One for these names: "DNS:localhost,IP:127.0.0.1". With `days` of 0 it has run out.
  Certificate issue(std::string_view names, int days = 1) const;

 private:
  std::string folder_;
};

/// Answers every request with the same, over TLS.
class TlsServer {
 public:
  TlsServer(const Authority::Certificate& certificate, std::string answer);
  ~TlsServer();

  std::uint16_t port() const;
  int accepted() const;
  /// The name the last client asked for (SNI); empty when it gave none.
  std::string asked_for() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace brownout::testing
