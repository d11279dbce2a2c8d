#pragma once

// What clients did to a provider on a socket, as a result: so that a scenario's expectations can be
// judged on programs that are not ours.
//
// From the provider's side a call is what the server's correlation takes for one. Its latency ends
// with the last byte of the success that ended first; without any it has failed, when the last of
// its tries ended. A client that left before the end `cancelled` it. A route is a model: routes of
// policies are not known.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "mockserver/http/correlator.hpp"
#include "sim/result.hpp"
#include "sim/scenario.hpp"

namespace brownout::sim {

/// Calls belong to a session of the server, by its name: what one has done so far can be taken back
/// without the others. *Threads*: none of its own; one at a time. *Ownership*: the scenario must
/// outlive it.
class ServedRecorder {
 public:
  explicit ServedRecorder(const Scenario& scenario);

  /// A call is over that began in that phase.
  void add(std::string_view session, const mock::http::ServedCall& call, std::size_t phase);
  /// What was added of that session does not count: its provider has begun anew.
  void forget(std::string_view session);
  /// What was added of that session counts for good; another may have its name.
  void keep(std::string_view session);

  /// What was found out over HTTP, at that speed, with the expectations that can be judged from
  /// here. The others go to `not_judged`, as they are written; they are undecided where there is
  /// nothing else to judge, as is everything that holds only because nobody called.
  RunResult finish(std::uint64_t seed, double speed, Instant ended,
                   std::vector<std::string>& not_judged);

 private:
  // What one session did, or all that are kept.
  struct Tally {
    std::vector<CallStats> phases;
    std::uint64_t unfinished = 0;
  };

  Tally empty() const;
  static void add(const Tally& from, Tally& to);
  void judge_seen(std::vector<std::string>& not_judged);

  const Scenario& scenario_;
  RunResult result_;
  Tally kept_;
  std::map<std::string, Tally, std::less<>> sessions_;
};

}  // namespace brownout::sim
