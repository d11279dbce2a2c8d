#pragma once

// What clients did to a provider on a socket, as a result: so that a scenario's expectations can be
// judged on programs that are not ours.
//
// From the provider's side a call is what the server's correlation takes for one, its latency ends
// with the last byte of its last try, and it has failed if that was no success. A client that left
// before the end `cancelled` it. A route is a model: routes of policies are not known.

#include <string>
#include <vector>

#include "mockserver/http/correlator.hpp"
#include "sim/result.hpp"
#include "sim/scenario.hpp"

namespace brownout::sim {

/// *Threads*: none of its own; one at a time. *Ownership*: the scenario must outlive it.
class ServedRecorder {
 public:
  explicit ServedRecorder(const Scenario& scenario);

  /// A call is over that began in that phase.
  void add(const mock::http::ServedCall& call, std::size_t phase);

  /// What was found out, with the expectations that can be judged from here. The others go to
  /// `not_judged`, as they are written.
  RunResult finish(std::uint64_t seed, Instant ended, std::vector<std::string>& not_judged);

 private:
  const Scenario& scenario_;
  RunResult result_;
};

}  // namespace brownout::sim
