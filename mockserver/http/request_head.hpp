#pragma once

// The head of an HTTP/1.1 request: its first line and its headers.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace brownout::mock::http {

/// Whether two names are the same but for the case of ASCII letters.
bool same_letters(std::string_view a, std::string_view b);

struct RequestHead {
  std::string method;
  std::string path;                                          ///< decoded, without the query
  std::vector<std::pair<std::string, std::string>> query;    ///< decoded
  std::vector<std::pair<std::string, std::string>> headers;  ///< names as sent
  bool keep_alive = true;
  bool is_http_1_1 = true;  ///< or 1.0

  /// The value of the first header of that name, whatever its case; empty if there is none.
  std::string_view header(std::string_view name) const;
  bool has_header(std::string_view name) const;
  /// The value of the first query parameter of that name; empty if there is none.
  std::string_view parameter(std::string_view name) const;
};

/// cpp-httplib's parser over bytes that were read already.
/// *Threads*: none of its own; one at a time.
class HeadParser {
 public:
  HeadParser();
  HeadParser(const HeadParser&) = delete;
  HeadParser& operator=(const HeadParser&) = delete;
  ~HeadParser();

  /// Reads the bytes from the first line to the empty one, both included. 0, or the status that
  /// says what is wrong with them: 400, 414 (a target beyond 8 KiB).
  std::uint16_t parse(std::string_view bytes, RequestHead& head);

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

}  // namespace brownout::mock::http
