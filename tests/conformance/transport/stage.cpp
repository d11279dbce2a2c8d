#include "tests/conformance/transport/stage.hpp"

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <thread>
#include <utility>

#include "engine/runtime/asio_runtime.hpp"
#include "engine/transport/http/http_transport.hpp"
#include "mockserver/http/server.hpp"
#include "sim/kernel/context.hpp"
#include "sim/transport.hpp"
#include "tests/mockserver/http/raw_client.hpp"
#include "tests/support/http/full_port.hpp"
#include "tests/support/http/raw_server.hpp"

namespace brownout::testing {
namespace {

using mock::http::Server;

// In real time: longer than anything takes on any machine.
constexpr std::chrono::seconds patience{60};

// Calendar time at the beginning of the script.
constexpr SystemTime starts_at{std::chrono::sys_days{std::chrono::year{2025} / 6 / 10}};

class SimulatedStage final : public TransportStage {
 public:
  SimulatedStage(const mock::Script& script, const StageOptions& options)
      : provider_(script, options.seed),
        context_({.seed = options.seed, .starts_at = starts_at}),
        transport_(context_, provider_, mock::Distribution::constant(Duration{0})) {}

  Runtime& runtime() override { return context_; }
  Transport& transport() override { return transport_; }

  void run(const std::function<void()>& begin) override {
    begin();
    stop_ = context_.run_until_idle();
  }

  std::vector<std::string> leftovers() override {
    std::vector<std::string> list;
    if (stop_ != sim::Stop::idle) list.push_back(fmt::format("it is {}", to_string(stop_)));
    for (mock::ModelId id = 0; id < provider_.script().models.size(); ++id) {
      const std::size_t left = provider_.running(id) + provider_.queued(id);
      if (left > 0) list.push_back(fmt::format("{} at model {}", left, id));
    }
    return list;
  }

 private:
  mock::ScriptedProvider provider_;
  sim::Context context_;
  sim::SimTransport transport_;
  sim::Stop stop_ = sim::Stop::interrupted;
};

std::unique_ptr<Server> listen(const mock::Script& script, const StageOptions& options,
                               const mock::Distribution& output_tokens) {
  mock::http::ServerOptions server;
  server.scenario = "conformance";
  server.session.script = &script;
  server.session.seed = options.seed;
  server.session.speed = options.speed;
  server.session.output_tokens = &output_tokens;
  server.session.clients_keep_pace = true;
  server.session.starts_at = starts_at;
  auto listening = Server::listen(server);
  EXPECT_TRUE(listening.has_value());
  return std::move(*listening);
}

class HttpStage final : public TransportStage {
 public:
  HttpStage(const mock::Script& script, const StageOptions& options)
      : output_tokens_(mock::Distribution::constant(mock::Unit::count, said_tokens)),
        server_(listen(script, options, output_tokens_)),
        runtime_(context_.get_executor(), options.seed, pace(options.speed)),
        transport_(
            std::make_unique<HttpTransport>(runtime_, endpoints(script, options), targets(script))),
        serving_([this] { server_->run(); }) {}

  ~HttpStage() override { stop(); }

  Runtime& runtime() override { return runtime_; }
  Transport& transport() override { return *transport_; }

  void run(const std::function<void()>& begin) override {
    {
      const AsioRuntime::Turn turn(runtime_);
      begin();
    }
    context_.restart();
    context_.run_for(patience);
  }

  std::vector<std::string> leftovers() override {
    std::vector<std::string> list;
    if (!context_.stopped()) list.emplace_back("something is under way still");
    const HttpCounts counts = transport_->counts();
    if (counts.open != counts.idle) {
      list.push_back(fmt::format("{} connections in use", counts.open - counts.idle));
    }
    if (!server_is_quiet()) list.emplace_back("the server works still");
    transport_.reset();
    context_.restart();
    context_.poll();
    if (!context_.stopped()) list.emplace_back("something outlives the transport");
    stop();
    return list;
  }

 private:
  void stop() {
    if (!serving_.joinable()) return;
    server_->stop();
    serving_.join();
  }

  // Before the server's thread: it shares its session with nobody.
  Pace pace(double speed) const {
    const Instant now = AsioRuntime::clock();
    const Duration passed = server_->session().now(now - Instant{}) - Instant{};
    const auto real = std::chrono::duration<double, std::nano>(passed) / speed;
    return {speed, now - std::chrono::duration_cast<Duration>(real), starts_at};
  }

  std::shared_ptr<const HttpEndpoints> endpoints(const mock::Script& script,
                                                 const StageOptions& options) const {
    std::vector<EndpointOptions> list;
    for (const mock::ProviderSpec& provider : script.providers) {
      EndpointOptions endpoint;
      endpoint.provider = provider.name;
      const bool anthropic = provider.dialect == mock::DialectId::anthropic;
      endpoint.dialect = anthropic ? http::Dialect::anthropic : http::Dialect::openai;
      endpoint.url = anthropic ? server_->url() : server_->url() + "/v1";
      if (provider.name == gone_provider) {
        endpoint.url = fmt::format("http://127.0.0.1:{}", closed_port());
      } else if (provider.name == lost_provider) {
        endpoint.url = fmt::format("http://127.0.0.1:{}", full_.port());
      }
      endpoint.headers = {{"api-key", "any"}};
      endpoint.most_connections = options.connections;
      endpoint.call_headers = true;
      list.push_back(std::move(endpoint));
    }
    auto opened = HttpEndpoints::open(std::move(list));
    EXPECT_TRUE(opened.has_value());
    return std::move(*opened);
  }

  static std::vector<std::string> targets(const mock::Script& script) {
    std::vector<std::string> names;
    for (const mock::ModelSpec& model : script.models) names.push_back(model.full_name);
    return names;
  }

  // A client that leaves is heard of a little later.
  bool server_is_quiet() {
    for (int i = 0; i < 500; ++i) {
      mock::http::testing::RawClient client(server_->port());
      client.send(mock::http::testing::http("GET", "/__brownout/state", ""));
      if (client.read_reply().find(R"("under_way": 0,)") != std::string::npos) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    return false;
  }

  const mock::Distribution output_tokens_;
  const FullPort full_;
  std::unique_ptr<Server> server_;
  boost::asio::io_context context_{1};
  AsioRuntime runtime_;
  std::unique_ptr<HttpTransport> transport_;
  std::thread serving_;
};

}  // namespace

std::string name_of(World world) {
  return world == World::simulated ? "Simulated" : "OverHttp";
}

std::unique_ptr<TransportStage> TransportStage::open(World world, const mock::Script& script,
                                                     const StageOptions& options) {
  if (world == World::simulated) return std::make_unique<SimulatedStage>(script, options);
  return std::make_unique<HttpStage>(script, options);
}

}  // namespace brownout::testing
