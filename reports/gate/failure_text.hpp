#pragma once

// What went wrong, in the words that the console, JUnit, Markdown and annotations share.

#include <string>
#include <vector>

#include "reports/gate/suite.hpp"

namespace brownout::reports {

/// One expectation that was not met, or could not be decided, on some seed.
struct Failure {
  std::size_t expectation = 0;  ///< index into Suite::expectations
  sim::Verdict verdict = sim::Verdict::failed;
  std::vector<const SeedRun*> runs;  ///< where it has that verdict; not empty
};

/// Of each expectation the gravest, in the order of the file.
std::vector<Failure> failures_of(const Suite& suite);

/// "availability >= 99%: not met on 3 of 20 seeds, found 97.200% to 98.100%", or "could not be
/// decided on 1 of 20 seeds: no such calls".
std::string headline(const Suite& suite, const Failure& failure);

/// What follows, in lines: seeds with what was found, why, where it stands.
std::string details(const Suite& suite, const Failure& failure);

/// Runs that ended in no expectation's failure: in a deadlock with nothing expected, or that were
/// not made. Empty when there are none. In lines.
std::string unfinished(const Suite& suite);

}  // namespace brownout::reports
