// A call that waits for its end, under the policy of a file.

#include <boost/asio/thread_pool.hpp>
#include <iostream>

#include "engine/client/client.hpp"
#include "examples/pretend_provider.hpp"

int main(int argc, char** argv) {
  const auto policy = brownout::load_policy(argc > 1 ? argv[1] : "policies/recommended.json");
  if (!policy) {
    for (const brownout::Error& error : policy.error()) std::cerr << error.to_string();
    return 2;
  }

  boost::asio::thread_pool pool(1);
  const auto provider = brownout::function_transport(pretend_provider(pool.get_executor()));
  auto client = brownout::Client::make(pool.get_executor(), *policy, provider);
  if (!client) return 2;  // a route that leads nowhere

  brownout::Request request{.input_tokens = 4};
  request.body = std::make_shared<const std::string>(R"({"prompt": "Good morning!"})");
  const brownout::Outcome outcome = client->complete(request, std::chrono::seconds{30});
  std::cout << to_string(outcome.kind) << ": "
            << (outcome.reply.text ? *outcome.reply.text : "no reply") << '\n';
}
