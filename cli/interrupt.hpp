#pragma once

#include <atomic>

namespace brownout::cli {

/// Makes SIGINT, SIGTERM and SIGHUP set the flag, which is returned; a second one ends the process
/// at once.
const std::atomic<bool>* watch_interrupts();

}  // namespace brownout::cli
