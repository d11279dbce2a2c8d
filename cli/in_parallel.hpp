#pragma once

#include <cstddef>
#include <functional>

namespace brownout::cli {

/// As many threads as the machine runs at once; at least 1.
std::size_t default_jobs();

/// Does work(0), …, work(count - 1) on `jobs` threads, and meanwhile calls done(0), done(1), … on
/// the calling one, each as soon as its work and all before it is done: what done() prints or adds
/// up is the same for every number of threads.
///
/// Once done() answers false, no more work is begun, and what is under way is waited for and not
/// told of. An exception that work(i) or done(i) throws is thrown again here in place of done(i),
/// when all threads have ended. Threads run at most some work per thread ahead of done(), so that
/// results do not pile up behind a slow one.
void in_parallel(std::size_t count, std::size_t jobs, const std::function<void(std::size_t)>& work,
                 const std::function<bool(std::size_t)>& done);

}  // namespace brownout::cli
