#pragma once

// Where a request's body ends, and what it says: by content-length, or in chunks.

#include <cstdint>
#include <string>
#include <string_view>

#include "mockserver/http/request_head.hpp"

namespace brownout::mock::http {

class BodyReader {
 public:
  enum class State : std::uint8_t { more, complete, bad };

  /// Begins the body of the request with this head; `limit` in bytes.
  State begin(const RequestHead& head, std::size_t limit);

  /// Takes what belongs to the body from the front of `input`.
  State read(std::string& input);

  /// What is wrong, if something is: 400, 413 (larger than the limit) or 501 (a coding that is not
  /// understood), with a sentence.
  std::uint16_t status() const { return status_; }
  std::string_view reason() const { return reason_; }

  std::string& body() { return body_; }

 private:
  enum class Part : std::uint8_t { length, chunk_size, chunk, chunk_end, trailer };

  State refuse(std::uint16_t status, std::string_view reason);
  State read_chunks(std::string_view& input);
  bool take_line(std::string_view& input, std::string_view& line);
  State read_size(std::string_view line);

  std::string body_;
  Part part_ = Part::length;
  std::size_t left_ = 0;  // of the body, or of the chunk
  std::size_t limit_ = 0;
  std::size_t overhead_ = 0;  // bytes of sizes and trailers so far
  State state_ = State::complete;
  std::uint16_t status_ = 0;
  std::string_view reason_;
};

}  // namespace brownout::mock::http
