// What Prometheus reads after a call.

#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <boost/asio/thread_pool.hpp>
#include <iostream>

#include "engine/client/client.hpp"
#include "engine/telemetry/prometheus_metrics.hpp"
#include "examples/pretend_provider.hpp"

int main() {
  const auto policy = brownout::parse_policy("inline", R"({
    "kind": "policy", "version": 1, "name": "watched", "to": "openai/gpt-4",
    "pipeline": [ { "retry": { "max_attempts": 2, "wait": { "fixed": "10ms" } } },
                  { "breaker": { "consecutive_failures": 5 } } ] })");

  const auto registry = std::make_shared<prometheus::Registry>();
  boost::asio::thread_pool pool(1);
  auto client = brownout::Client::make(
      pool.get_executor(), *policy,
      brownout::function_transport(pretend_provider(pool.get_executor())),
      {.observer = [&](const brownout::Pipeline& pipeline) {
        return std::make_shared<brownout::PrometheusMetrics>(registry, pipeline.names());
      }});
  client->complete({});
  std::cout << prometheus::TextSerializer().Serialize(registry->Collect());
}
