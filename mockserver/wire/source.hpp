#pragma once

// Where the pieces of a WireReply come from.

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mockserver/wire/facts.hpp"
#include "mockserver/wire/reply.hpp"

namespace brownout::mock::wire {

class WireReply::Source {
 public:
  Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source() = default;
  virtual bool next(Piece& piece) = 0;
};

/// Pieces known beforehand.
class ListSource final : public WireReply::Source {
 public:
  ListSource() = default;
  explicit ListSource(std::vector<Piece> pieces) : pieces_(std::move(pieces)) {}
  bool next(Piece& piece) override;

 private:
  std::vector<Piece> pieces_;
  std::size_t next_ = 0;
};

/// What a reply is made from.
struct Making {
  const Form& form;
  const RequestFacts& request;
  const Plan& plan;
  const Occasion& occasion;
};

/// How a body is delimited.
enum class Transfer : std::uint8_t {
  length,      ///< content-length
  chunked,     ///< transfer-encoding
  connection,  ///< ends with the connection
};

/// Status line and headers. Adds date, what delimits the body and, if the connection is not to
/// stay, `connection: close`.
std::string head_of(const WireReply& reply, const Making& making, Transfer transfer,
                    std::size_t length);

/// The bytes of one chunk; a whole one, or its size and only the beginning of what it announces.
void append_chunk(std::string_view data, std::string& out);
void append_broken_chunk(std::string_view data, std::size_t announced, std::string& out);
inline constexpr std::string_view last_chunk = "0\r\n\r\n";

/// Bytes that neither HTTP nor JSON nor UTF-8 can begin with.
std::string_view garbage();

/// Where a text is cut so that every slice is small and every character of several bytes is torn.
std::size_t slice_length(std::string_view text);

/// Sets the source, status and end of `reply`, whose headers are there already. Requires: the plan
/// is of a stream that was generated and has begun.
void make_stream(const Making& making, bool calls_tool, WireReply& reply);

/// The same for a reply whose body comes whole.
void make_plain(const Making& making, bool calls_tool, WireReply& reply);

/// Whether this request is answered by calling the first of its tools.
bool calls_tool(const RequestFacts& request);

}  // namespace brownout::mock::wire
