#pragma once

// The two transports, each with a scripted provider behind it and the time it lives in.

#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "engine/runtime/runtime.hpp"
#include "engine/transport/transport.hpp"
#include "mockserver/script.hpp"

namespace brownout::testing {

enum class World : std::uint8_t {
  simulated,  ///< the simulator's transport, in virtual time
  real,       ///< the engine's HTTP transport, over sockets to the mock server, in scaled time
};
/// "Simulated", "OverHttp": for the names of tests.
std::string name_of(World world);
inline void PrintTo(World world, std::ostream* out) {
  *out << name_of(world);
}

struct StageOptions {
  std::uint64_t seed = 1;

  /// Seconds of the script in a second of the machine, and the most connections to a provider;
  /// where there are such things.
  double speed = 2;
  std::uint32_t connections = 2'000;
};

/// Every reply would have so many tokens if nobody stopped it.
inline constexpr std::uint32_t said_tokens = 11;

/// Providers of these names are not where they should be: nobody listens at the port of the one,
/// and connections to the other are neither accepted nor refused. Their faults in the script must
/// say the same ("outage", "unreachable").
inline constexpr const char* gone_provider = "gone";
inline constexpr const char* lost_provider = "lost";

/// *Ownership*: the script must outlive it. Targets are ModelIds. *Threads*: the test's.
class TransportStage {
 public:
  TransportStage() = default;
  TransportStage(const TransportStage&) = delete;
  TransportStage& operator=(const TransportStage&) = delete;
  virtual ~TransportStage() = default;

  static std::unique_ptr<TransportStage> open(World world, const mock::Script& script,
                                              const StageOptions& options = {});

  virtual Runtime& runtime() = 0;
  virtual Transport& transport() = 0;

  /// `begin` makes the first attempts; returns when nothing is under way any more.
  virtual void run(const std::function<void()>& begin) = 0;

  /// What is left of attempts that have all ended, in words. Nothing can be begun afterwards.
  virtual std::vector<std::string> leftovers() = 0;
};

}  // namespace brownout::testing
