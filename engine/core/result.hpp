#pragma once

// Operational errors: a file that cannot be read, an option that makes no sense, a port in use.
// What became of a call or an attempt is not an error in this sense but data: see outcome.hpp.

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

namespace brownout {

/// Which exit code an error deserves; a new kind exists only if code reacts to it.
enum class ErrorKind {
  invalid,      ///< bad usage or an invalid file (exit 2)
  environment,  ///< cannot read, write or connect (exit 5)
};

/// An error ready to be printed: `message` says what is wrong in one sentence without a full stop,
/// `excerpt` shows where (file, line, column, caret), empty if the error has no place in a file.
struct Error {
  ErrorKind kind = ErrorKind::invalid;
  std::string message;
  std::string excerpt;

  /// "error: message", followed by the excerpt if there is one; or another first word. Ends with a
  /// newline.
  std::string to_string(std::string_view severity = "error") const;
};

/// A loader reports everything it found wrong, not only the first thing.
using Errors = std::vector<Error>;

template <class T>
using Result = tl::expected<T, Errors>;

inline tl::unexpected<Errors> fail(ErrorKind kind, std::string message) {
  return tl::unexpected<Errors>(Errors{Error{kind, std::move(message), {}}});
}

}  // namespace brownout
