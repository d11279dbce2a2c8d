#pragma once

// BROWNOUT_CHECK guards what must be true if this program is correct; it stays on in release
// builds. A broken check is a bug of ours: the process reports where it stood and exits 70.

#include <string>

namespace brownout {

/// Adds context to the report of a broken check (seed, virtual time, last events). One per thread;
/// the newest wins until it is destroyed. *Ownership*: the reporter must outlive its registration.
class CheckContext {
 public:
  CheckContext();
  CheckContext(const CheckContext&) = delete;
  CheckContext& operator=(const CheckContext&) = delete;
  virtual ~CheckContext();
  virtual std::string describe() const = 0;

 private:
  CheckContext* previous_;
};

/// Reports that `broken` is not as it should be, and ends the process.
[[noreturn]] void check_failed(const char* broken, const char* file, int line);

}  // namespace brownout

#define BROWNOUT_CHECK(condition) \
  (static_cast<bool>(condition)   \
       ? void(0)                  \
       : ::brownout::check_failed(#condition " does not hold", __FILE__, __LINE__))

/// For a place that a correct program does not reach; `reason` says in words what was wrong.
#define BROWNOUT_UNREACHABLE(reason) ::brownout::check_failed(reason, __FILE__, __LINE__)
