// Calls awaited by coroutines, on one thread.

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <iostream>

#include "engine/client/client.hpp"
#include "examples/pretend_provider.hpp"

boost::asio::awaitable<void> greet(brownout::Client& client, int times) {
  for (int i = 0; i < times; ++i) {
    const auto outcome = co_await client.async_complete({}, boost::asio::use_awaitable);
    std::cout << to_string(outcome.kind) << '\n';
  }
}

int main() {
  const auto policy = brownout::parse_policy("inline", R"({
    "kind": "policy", "version": 1, "name": "twice", "to": "openai/gpt-4", "deadline": "2s",
    "pipeline": [ { "retry": { "max_attempts": 2, "wait": { "fixed": "10ms" } } } ] })");

  boost::asio::io_context context;
  auto client = brownout::Client::make(
      context.get_executor(), *policy,
      brownout::function_transport(pretend_provider(context.get_executor())),
      {.executor_is_serial = true});  // one thread runs it, and calls begin at once
  boost::asio::co_spawn(context, greet(*client, 2), boost::asio::detached);
  context.run();
}
