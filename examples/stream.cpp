// A stream over HTTP: its text is printed as it comes. Without an argument it asks a server of its
// own on this machine; with one, whoever that connections file names.

#include <boost/asio/io_context.hpp>
#include <iostream>

#include "engine/connections/connect.hpp"
#include "examples/good_morning_server.hpp"

namespace {

int complain(const brownout::Errors& errors) {
  for (const brownout::Error& error : errors) std::cerr << error.to_string();
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  const GoodMorningServer server;
  auto connections = argc > 1 ? brownout::load_connections(argv[1])
                              : brownout::parse_connections("inline", server.connections());
  const auto policy = brownout::load_policy(argc > 2 ? argv[2] : "policies/recommended.json");
  if (!connections) return complain(connections.error());
  if (!policy) return complain(policy.error());

  boost::asio::io_context context;
  auto client = brownout::connect(context.get_executor(), *policy, *connections,
                                  {.executor_is_serial = true});
  if (!client) return complain(client.error());

  brownout::Request request{.input_tokens = 4};
  request.body = std::make_shared<const std::string>(
      R"({"messages": [{"role": "user", "content": "Good morning!"}]})");
  client->async_stream(
      request, [](std::string_view text) { std::cout << text << std::flush; },
      [](const brownout::Outcome& outcome) {
        std::cout << "\n"
                  << to_string(outcome.kind) << ", " << outcome.billed_output_tokens << " tokens\n";
      });
  context.run();
}
