#pragma once

// Stands where your HTTP client goes: a provider that is overloaded every other time it is asked,
// and says good morning the other times, after 20 ms.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "engine/transport/function_transport.hpp"

inline brownout::FunctionTransport::Function pretend_provider(
    const boost::asio::any_io_executor& executor) {
  return [executor, asked = 0](const brownout::Attempt&, std::string_view target,
                               brownout::FunctionTransport::Completion done) mutable {
    const bool overloaded = asked++ % 2 == 0;
    auto timer = std::make_shared<boost::asio::steady_timer>(executor);
    timer->expires_after(std::chrono::milliseconds{20});
    done.on_cancel([timer] { timer->cancel(); });
    timer->async_wait([timer, done, overloaded,
                       from = std::string(target)](const boost::system::error_code& cancelled) {
      if (cancelled) return;
      brownout::Outcome outcome;
      if (overloaded) outcome = brownout::Outcome::failure(brownout::OutcomeKind::overloaded, 529);
      if (!overloaded) {
        outcome.reply.text = std::make_shared<const std::string>("good morning from " + from);
      }
      done(std::move(outcome));
    });
  };
}
