// A policy that is replaced while calls go on.

#include <boost/asio/thread_pool.hpp>
#include <iostream>
#include <string>

#include "engine/client/client.hpp"
#include "examples/pretend_provider.hpp"

std::string policy_with(const std::string& pipeline) {
  return R"({ "kind": "policy", "version": 1, "name": "live", "to": "openai/gpt-4", "pipeline": )" +
         pipeline + " }";
}

int main() {
  boost::asio::thread_pool pool(2);
  auto client = brownout::Client::make(
      pool.get_executor(), *brownout::parse_policy("first", policy_with("[]")),
      brownout::function_transport(pretend_provider(pool.get_executor())));
  std::cout << "before: " << to_string(client->complete({}).kind) << '\n';
  client->complete({});

  const auto next = brownout::parse_policy(
      "next",
      policy_with(R"([ { "retry": { "max_attempts": 2, "wait": { "fixed": "10ms" } } } ])"));
  if (!next || !client->reload(*next)) return 1;  // what is not valid changes nothing
  std::cout << "after: " << to_string(client->complete({}).kind) << '\n';
}
