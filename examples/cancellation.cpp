// A call by callback, which its caller gives up: the provider learns of it.

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <iostream>

#include "engine/client/client.hpp"
#include "examples/pretend_provider.hpp"

int main() {
  const auto policy = brownout::parse_policy("inline", R"({
    "kind": "policy", "version": 1, "name": "patient", "to": "openai/gpt-4",
    "pipeline": [ { "retry": { "max_attempts": 9, "wait": { "fixed": "1h" } } } ] })");

  boost::asio::io_context context;
  auto client =
      brownout::Client::make(context.get_executor(), *policy,
                             brownout::function_transport(pretend_provider(context.get_executor())),
                             {.executor_is_serial = true});

  boost::asio::cancellation_signal give_up;
  client->async_complete({}, bind_cancellation_slot(give_up.slot(), [](brownout::Outcome outcome) {
                           std::cout << to_string(outcome.kind) << '\n';
                         }));
  boost::asio::steady_timer patience(context, std::chrono::milliseconds{50});
  patience.async_wait([&](auto) { give_up.emit(boost::asio::cancellation_type::terminal); });
  context.run();
}
