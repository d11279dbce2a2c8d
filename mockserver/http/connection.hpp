#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>

#include "engine/core/time.hpp"
#include "mockserver/http/request_body.hpp"
#include "mockserver/http/request_head.hpp"
#include "mockserver/http/session.hpp"
#include "mockserver/http/sockets.hpp"

namespace brownout::mock::http {

/// One client's connection. Real instants.
struct Connection {
  enum class State : std::uint8_t {
    head,      ///< reading a request's head, or waiting for one
    body,      ///< reading its body
    replying,  ///< an exchange is under way
    draining,  ///< everything was said: what is still to be sent is sent, and then closed
    lingering  ///< FIN was sent: what the client still sends is thrown away until it closes too
  };

  std::uint64_t id = 0;
  Descriptor socket;
  bool is_admin = false;  ///< came in at the admin API's own port
  State state = State::head;

  std::string input;
  std::size_t scanned = 0;  ///< of input: where no head ends
  RequestHead head;
  BodyReader body;
  bool continued = false;  ///< 100 Continue was sent

  std::string output;
  std::size_t sent = 0;  ///< of output
  std::unique_ptr<Exchange> exchange;
  std::uint32_t fresh = 0;  ///< pieces in output that the journal does not know of yet
  Duration first_due{};     ///< of them
  Duration last_due{};
  bool played = false;  ///< the reply's last piece is in output, and its end has come
  wire::Ending ending = wire::Ending::close;  ///< of an exchange that was played, or of draining

  std::uint32_t events = 0;                 ///< that the poller looks for
  Duration timer = forever;                 ///< the earliest entry in the queue of timers
  Duration timeout = forever;               ///< when patience with the client ends
  std::list<std::uint64_t>::iterator idle;  ///< its place among the idle ones
  bool is_idle = false;

  std::size_t unsent() const { return output.size() - sent; }
};

}  // namespace brownout::mock::http
