#include "twin/http_stage.hpp"

#include <fmt/format.h>

#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <ctime>
#include <memory>
#include <system_error>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/pipeline/engine.hpp"
#include "engine/runtime/asio_runtime.hpp"
#include "engine/store/guarded_store.hpp"
#include "engine/store/memory_store.hpp"
#include "engine/telemetry/observers.hpp"
#include "engine/transport/http/http_transport.hpp"
#include "mockserver/http/server.hpp"
#include "sim/caller.hpp"
#include "sim/detail.hpp"
#include "sim/recorder.hpp"
#include "sim/run_result.hpp"
#include "sim/scripted_store.hpp"
#include "sim/workload.hpp"

namespace brownout::twin {
namespace {

using mock::http::Server;

constexpr JobName level_job{"levels"};
constexpr JobName probe_job{"probe"};
constexpr Duration shortest_drain = std::chrono::minutes{10};
constexpr std::uint32_t most_connections = 10'000;
// In real time.
constexpr Duration look_up = std::chrono::milliseconds{100};
constexpr Duration between_probes = std::chrono::milliseconds{7};

mock::http::ServerOptions server_options(const sim::Scenario& scenario,
                                         const HttpOptions& options) {
  mock::http::ServerOptions server;
  server.scenario = scenario.name;
  server.limits.connections = most_connections;
  server.session.script = &scenario.script;
  server.session.seed = options.seed.value_or(scenario.seed);
  server.session.speed = options.speed;
  server.session.output_tokens = &scenario.workload.output_tokens;
  server.session.clients_keep_pace = true;
  server.session.on_line = options.journal;
  server.session.starts_at = scenario.starts_at;
  return server;
}

std::vector<EndpointOptions> endpoints(const mock::Script& script, const std::string& url) {
  std::vector<EndpointOptions> list;
  for (const mock::ProviderSpec& provider : script.providers) {
    EndpointOptions endpoint;
    endpoint.provider = provider.name;
    const bool anthropic = provider.dialect == mock::DialectId::anthropic;
    endpoint.dialect = anthropic ? http::Dialect::anthropic : http::Dialect::openai;
    endpoint.url = anthropic ? url : url + "/v1";
    // Any key will do, in a header that is no dialect's own.
    endpoint.headers = {{"api-key", "brownout"}};
    endpoint.most_connections = most_connections;
    endpoint.call_headers = true;
    list.push_back(std::move(endpoint));
  }
  return list;
}

// By ModelId: the provider, and the model by its full name, as two providers may have one of a
// name.
std::vector<std::string> targets(const mock::Script& script) {
  std::vector<std::string> names;
  for (const mock::ModelSpec& model : script.models) {
    names.push_back(model.full_name.substr(0, model.full_name.find('/') + 1) + model.full_name);
  }
  return names;
}

// Counts as sim::SimTransport does.
class PeakCounter final : public Observer {
 public:
  explicit PeakCounter(const mock::Script& script)
      : script_(script),
        under_way_(script.models.size()),
        peaks_(script.phases.size(), under_way_) {}

  void on_attempt_start(const AttemptStartEvent& event) override {
    std::size_t phase = 0;
    while (phase + 1 < peaks_.size() && script_.phases[phase].until <= event.at - Instant{}) {
      ++phase;
    }
    std::uint32_t& peak = peaks_[phase][event.target];
    peak = std::max(peak, ++under_way_[event.target]);
  }
  void on_attempt(const AttemptEvent& event, const Outcome&) override {
    --under_way_[event.target];
  }

  std::uint32_t peak(std::size_t phase, TargetId target) const { return peaks_[phase][target]; }

 private:
  const mock::Script& script_;
  std::vector<std::uint32_t> under_way_;           // by model
  std::vector<std::vector<std::uint32_t>> peaks_;  // by phase and model
};

// Does something every so often.
class Ticker final : public Timer {
 public:
  Ticker(const JobName& name, Runtime& runtime, Duration period,
         std::function<void(Instant due)> act)
      : Timer(name),
        runtime_(runtime),
        period_(std::max(period, Duration{1})),
        act_(std::move(act)) {}
  ~Ticker() { runtime_.disarm(*this); }

  void begin(Instant first) { runtime_.arm(*this, first); }
  Duration period() const { return period_; }

 private:
  void fire() override {
    const Instant was_due = due();
    act_(was_due);
    // What was missed is not made up for.
    const Duration behind = runtime_.now() - was_due;
    runtime_.arm(*this, after(was_due, period_ * (1 + behind / period_)));
  }

  Runtime& runtime_;
  const Duration period_;
  const std::function<void(Instant)> act_;
};

// Of the thread that calls it.
Duration time_worked() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec};
}

// The server's thread, as long as the object lives.
class Serving {
 public:
  explicit Serving(Server& server)
      : server_(server), thread_([this] {
          std::ignore = server_.run();
          worked_ = time_worked();
        }) {}
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;
  ~Serving() { end(); }

  void end() {
    if (!thread_.joinable()) return;
    server_.stop();
    thread_.join();
  }
  // After end().
  Duration worked() const { return worked_; }

 private:
  Server& server_;
  Duration worked_{};
  std::thread thread_;
};

Duration times(Duration real, double speed) {
  return Duration{static_cast<std::int64_t>(static_cast<double>(real.count()) * speed)};
}

// The clock of the server, which has been going since it listened.
Pace pace_of(const Server& server, const sim::Scenario& scenario, double speed) {
  const Instant now = AsioRuntime::clock();
  const Duration passed = server.session().now(now - Instant{}) - Instant{};
  return {speed, now - times(passed, 1 / speed), scenario.starts_at};
}

bool is_want_of_files(const std::error_code& error) {
  return error == std::errc::too_many_files_open ||
         error == std::errc::too_many_files_open_in_system;
}

// Everything that lives during one run, in order of construction.
class World {
 public:
  World(const sim::Scenario& scenario, const Policy& policy, const sim::BoundPolicy& bound,
        const HttpOptions& options, Server& server, std::shared_ptr<const HttpEndpoints> endpoints)
      : scenario_(scenario),
        bound_(bound),
        options_(options),
        server_(server),
        runtime_(context_.get_executor(), options.seed.value_or(scenario.seed),
                 pace_of(server, scenario, options.speed)),
        transport_(runtime_, std::move(endpoints), targets(scenario.script),
                   [this](const HttpTrouble& trouble) {
                     is_out_of_files_ = is_out_of_files_ || is_want_of_files(trouble.error);
                   }),
        scripted_store_(runtime_, replies_, scenario.store),
        store_(runtime_,
               scenario.store.is_scripted() ? static_cast<ReplyStore&>(scripted_store_) : replies_),
        workload_(scenario.workload, runtime_.seed()),
        peaks_(scenario.script),
        probe_(probe_job, runtime_, times(between_probes, options.speed),
               [this](Instant due) { lateness_.record(runtime_.now() - due); }) {
    auto pipeline =
        std::make_shared<Pipeline>(policy, bound.targets, bound.target_ids, runtime_.seed());
    if (options.detail) {
      detail_ =
          std::make_unique<sim::Detail>(scenario.duration, nullptr, *pipeline, options.events);
      levels_ = std::make_unique<Ticker>(level_job, runtime_, detail_->width(),
                                         [this](Instant due) { read_levels(due); });
    }
    observers_ = std::make_unique<Observers>(
        std::vector<Observer*>{&peaks_, options.detail ? &detail_->observer() : options.events});
    recorder_ = std::make_unique<sim::Recorder>(scenario.script, *pipeline, observers_.get());
    engine_ =
        std::make_unique<Engine>(runtime_, transport_, store_, *recorder_, std::move(pipeline));
    caller_ =
        std::make_unique<sim::Caller>(runtime_, *engine_, workload_, Instant{} + scenario.duration,
                                      std::make_shared<const std::string>("ping"));
  }

  // Calls that have not ended are the caller's, and giving one up may let another go on.
  ~World() { engine_.reset(); }

  sim::RunEnd run() {
    const Duration worked_before = time_worked();
    const Instant begun = AsioRuntime::clock();
    Serving serving(server_);
    begin();
    const sim::RunEnd end = wait();
    ended_ = runtime_.now();
    const Duration took = std::max(AsioRuntime::clock() - begun, Duration{1});
    const Duration worked = time_worked() - worked_before;
    serving.end();
    busy_ = static_cast<double>(std::max(worked, serving.worked()).count()) /
            static_cast<double>(took.count());
    return end;
  }

  // What the machine did not give, after run(). Empty: nothing was missing.
  std::string missing() const {
    const std::uint64_t starved = server_.counts().starved;
    if (!is_out_of_files_ && starved == 0) return "";
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return fmt::format(
        "ran out of files: {}each connection takes two, and this process may open {}; raise that "
        "with ulimit -n",
        is_out_of_files_
            ? fmt::format("{} connections were open and more were needed, ", connections_)
            : "",
        limit.rlim_cur);
  }

  void report(HttpFlight& flight) {
    sim::RunResult& result = flight.result;
    result.seed = runtime_.seed();
    result.ended = ended_;
    sim::report_engine(scenario_, *engine_, result);
    recorder_->finish(result);
    result.semantic_digest = 0;  // the order of events is the machine's
    sim::report_peaks(
        bound_, [this](std::size_t phase, TargetId target) { return peaks_.peak(phase, target); },
        result);
    sim::report_faults(server_.session().provider(), result);
    if (detail_) detail_->report(result);
    flight.requests = server_.counts().requests;
    flight.connections = transport_.counts().connections;
    flight.resent = transport_.counts().resent;
    flight.lateness = lateness_;
    flight.busy = busy_;
  }

 private:
  void begin() {
    const AsioRuntime::Turn turn(runtime_);
    caller_->begin();
    probe_.begin(after(runtime_.now(), probe_.period()));
    if (levels_) levels_->begin(Instant{} + levels_->period());
  }

  // Handler by handler: the last call's end is the run's.
  sim::RunEnd wait() {
    const Instant latest =
        after(Instant{} + scenario_.duration, std::max(scenario_.duration, shortest_drain));
    const auto guard = boost::asio::make_work_guard(context_);
    Instant told{};
    while (engine_->unfinished() > 0 || caller_->has_more()) {
      context_.run_one_for(look_up);
      if (options_.interrupt != nullptr && *options_.interrupt) return sim::RunEnd::interrupted;
      if (is_out_of_files_) {
        connections_ = transport_.counts().open;
        return sim::RunEnd::interrupted;
      }
      const Instant now = runtime_.now();
      if (now >= latest) return sim::RunEnd::deadlock;
      if (!options_.progress || now - told < times(look_up, options_.speed)) continue;
      told = now;
      options_.progress(now);
    }
    return sim::RunEnd::completed;
  }

  void read_levels(Instant at) {
    if (at < detail_->ends()) detail_->read_levels(at);
  }

  const sim::Scenario& scenario_;
  const sim::BoundPolicy& bound_;
  const HttpOptions& options_;
  Server& server_;
  boost::asio::io_context context_{1};
  AsioRuntime runtime_;
  HttpTransport transport_;
  MemoryStore replies_;
  sim::ScriptedStore scripted_store_;
  GuardedStore store_;
  sim::Workload workload_;
  PeakCounter peaks_;
  sim::Histogram lateness_;
  double busy_ = 0;
  bool is_out_of_files_ = false;
  std::uint64_t connections_ = 0;  // when files ran out
  Ticker probe_;
  Instant ended_{};
  std::unique_ptr<sim::Detail> detail_;
  std::unique_ptr<Ticker> levels_;
  std::unique_ptr<Observers> observers_;
  std::unique_ptr<sim::Recorder> recorder_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<sim::Caller> caller_;
};

// Down to 1, 2 or 5 times a power of ten.
double rounded_down(double speed) {
  const double power = std::pow(10, std::floor(std::log10(speed)));
  const double digit = speed / power;
  return power * (digit < 2 ? 1 : digit < 5 ? 2 : 5);
}

// Up to 1, 2 or 5 times a power of ten.
double rounded_up(double speed) {
  const double power = std::pow(10, std::floor(std::log10(speed)));
  const double digit = speed / power;
  return power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
}

std::string real_time(Duration scenario, double speed) {
  using std::chrono::seconds;
  const Duration real = times(scenario, 1 / speed);
  return format_duration_short(std::max<Duration>(std::chrono::round<seconds>(real), seconds{1}));
}

}  // namespace

std::string how_long(Duration scenario, double speed) {
  constexpr double most_sensible = 100;
  const double minutes = static_cast<double>(scenario.count()) / 60e9;
  if (minutes <= speed) return "";
  std::string text = fmt::format("takes {} at this speed", real_time(scenario, speed));
  const double faster = std::min(rounded_up(minutes / 5), most_sensible);
  if (faster <= speed) return text;
  return text + fmt::format("; --speed {} takes {}", faster, real_time(scenario, faster));
}

std::string could_not_follow(const sim::Histogram& lateness, double busy, double speed) {
  constexpr double late_real = 10e6;
  constexpr double most_busy = 0.8;
  constexpr double quite_busy = 0.5;
  const Duration late = lateness.count() > 0 ? lateness.quantile(990) : Duration{};
  const double real = static_cast<double>(late.count()) / speed;
  if (real <= late_real && busy <= most_busy) return "";
  std::string text = "could not follow at that speed: ";
  text += real > late_real
              ? fmt::format("one timer in a hundred rang late by {} of the scenario, {} of its own",
                            format_duration_short(late),
                            format_duration_short(Duration{static_cast<std::int64_t>(real)}))
              : fmt::format("it worked {:.0f}% of the time", 100 * busy);
  if (speed <= 1) return text + "; it has other things to do";
  const double factor = std::max({2.0, busy / quite_busy, std::min(real / late_real, 10.0)});
  return text + fmt::format("; try --speed {}", std::max(1.0, rounded_down(speed / factor)));
}

Result<HttpFlight> fly(const sim::Scenario& scenario, const Policy& policy,
                       const sim::BoundPolicy& bound, const HttpOptions& options) {
  auto server = Server::listen(server_options(scenario, options));
  if (!server) return tl::unexpected(std::move(server.error()));
  auto ready = HttpEndpoints::open(endpoints(scenario.script, (*server)->url()));
  if (!ready) return tl::unexpected(std::move(ready.error()));
  HttpFlight flight;
  flight.result = sim::begin_result(scenario, policy);
  flight.result.stage = sim::RunStage::http;
  flight.result.speed = options.speed;
  World world(scenario, policy, bound, options, **server, std::move(*ready));
  flight.result.end = world.run();
  if (const std::string missing = world.missing(); !missing.empty()) {
    return fail(ErrorKind::environment, scenario.name + " " + missing);
  }
  world.report(flight);
  const std::string behind = could_not_follow(flight.lateness, flight.busy, options.speed);
  if (!behind.empty()) flight.result.could_not_follow = "this machine " + behind;
  sim::judge_expectations(scenario, bound, flight.result);
  return flight;
}

}  // namespace brownout::twin
