#include "engine/core/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace brownout {
namespace {

thread_local CheckContext* innermost = nullptr;
constexpr int exit_internal_error = 70;

}  // namespace

CheckContext::CheckContext() : previous_(innermost) {
  innermost = this;
}

CheckContext::~CheckContext() {
  innermost = previous_;
}

void check_failed(const char* broken, const char* file, int line) {
  std::fprintf(stderr, "internal error: %s (%s:%d)\n", broken, file, line);
  if (const CheckContext* context = innermost) {
    innermost = nullptr;  // a check that breaks while describing must not recurse
    std::fputs(context->describe().c_str(), stderr);
  }
  std::fputs("This is a bug in brownout. Please report it with the lines above.\n", stderr);
  std::fflush(nullptr);
  std::_Exit(exit_internal_error);
}

}  // namespace brownout
