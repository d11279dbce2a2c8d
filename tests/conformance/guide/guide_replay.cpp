#include "tests/conformance/guide/guide_replay.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/pipeline/engine.hpp"
#include "engine/store/memory_store.hpp"
#include "sim/kernel/context.hpp"

namespace brownout::conformance {
namespace {

constexpr JobName scripted_attempt{"scripted attempt"};

std::int64_t ns(Instant at) {
  return at.time_since_epoch().count();
}

// Answers one attempt at a time from the case's scripts.
class ScriptedTransport final : public Transport, private Timer {
 public:
  ScriptedTransport(Runtime& runtime, const PolicyCase& history)
      : Timer(scripted_attempt),
        runtime_(runtime),
        scripts_(history.scripts),
        attempts_(history.scripts.size()) {}
  ~ScriptedTransport() override { runtime_.disarm(*this); }

  static TargetId resolve(std::string_view target) {
    for (std::size_t model = 0; model < std::size(models); ++model) {
      if (target == std::string("openai/") + models[model]) return static_cast<TargetId>(model);
    }
    return no_target;
  }

  Handle start(const Attempt& attempt, AttemptListener& listener) override {
    const std::vector<Answer>& script = scripts_[attempt.target];
    const std::uint32_t number = attempts_[attempt.target]++;
    const Answer& answer = script[number % script.size()];
    Instant ends = runtime_.now() + answer.after * tick;
    outcome_ = outcome_of(answer, fmt::format("{}#{}", models[attempt.target], number));
    if (ends > attempt.limits.end) {
      ends = attempt.limits.end;
      outcome_ = Outcome::failure(OutcomeKind::timed_out);
    }
    listener_ = &listener;
    runtime_.arm(*this, ends);
    return Handle{number};
  }

  Outcome detach(Handle) override {
    runtime_.disarm(*this);
    return Outcome::failure(OutcomeKind::cancelled);
  }

 private:
  static Outcome outcome_of(const Answer& answer, std::string reply) {
    Outcome outcome = Outcome::failure(answer.outcome);
    if (outcome.ok()) {
      outcome.served = Served::live;
      outcome.reply.text = std::make_shared<const std::string>(std::move(reply));
    } else {
      outcome.retry_after = std::chrono::seconds{20};  // a hint that tenacity does not see
    }
    return outcome;
  }

  void fire() override { listener_->on_end(std::move(outcome_)); }

  Runtime& runtime_;
  const std::vector<std::vector<Answer>>& scripts_;
  std::vector<std::uint32_t> attempts_;
  AttemptListener* listener_ = nullptr;
  Outcome outcome_;
};

// Writes down what the engine reports and how the call under way ended.
class Scribe final : public Observer, public CallListener {
 public:
  Trace trace;
  const Pipeline* pipeline = nullptr;
  std::optional<Outcome> end;

  void on_attempt(const AttemptEvent& event, const Outcome& outcome) override {
    trace.push_back(fmt::format("  attempt at {} from {} to {}: {}", models[event.target],
                                ns(event.started), ns(event.ended), to_string(outcome.kind)));
  }
  void on_wait(const WaitEvent& event) override {
    trace.push_back(fmt::format("  wait from {} to {}", ns(event.from), ns(event.until)));
  }
  void on_rejection(const RejectionEvent& event) override {
    trace.push_back(fmt::format("  rejected by {} at {}", pipeline->breakers()[event.breaker].name,
                                ns(event.at)));
  }
  void on_call_end(CallId, Outcome&& outcome) override { end = std::move(outcome); }
};

std::string describe_end(const Outcome& outcome) {
  switch (outcome.served) {
    case Served::nothing:
      return "failed " + std::string(to_string(outcome.kind));
    case Served::live:
      return "live " + *outcome.reply.text;
    case Served::shared:
      return "shared " + *outcome.reply.text;
    case Served::cached:
      return "cached " + *outcome.reply.text;
    case Served::fallback:
      return "default " + nlohmann::json::parse(*outcome.reply.text).dump();
    case Served::stale:
      return "stale " + *outcome.reply.text;
  }
  return "";
}

// An open breaker becomes half-open when the next call comes; Python's say so as soon as the time
// has passed.
std::string_view describe(const Breaker& breaker, Instant now) {
  const bool due = breaker.state() == BreakerState::open && breaker.retry_after(now) == Duration{0};
  return to_string(due ? BreakerState::half_open : breaker.state());
}

std::unique_ptr<Pipeline> build(const Policy& policy, std::uint64_t seed) {
  std::vector<std::string> targets;
  std::vector<TargetId> ids;
  for (const RouteSpec* route : policy.routes()) {
    targets.push_back(route->to);
    ids.push_back(ScriptedTransport::resolve(route->to));
  }
  return std::make_unique<Pipeline>(policy, targets, ids, seed);
}

std::string quoted(const std::string& argument) {
  std::string text = "'";
  for (const char c : argument) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

// A file that is gone when this is.
class TemporaryFile {
 public:
  TemporaryFile() : path_((std::filesystem::temp_directory_path() / "brownout-XXXXXX").string()) {
    const int file = mkstemp(path_.data());
    if (file >= 0) close(file);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::vector<Trace> read_traces(const std::string& path) {
  std::vector<Trace> traces;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line == fmt::format("case {}", traces.size())) {
      traces.emplace_back();
    } else if (!traces.empty()) {
      traces.back().push_back(line);
    }
  }
  return traces;
}

}  // namespace

Trace replay(const PolicyCase& history, const Policy& policy) {
  sim::Context context;
  ScriptedTransport transport(context, history);
  MemoryStore store;
  Scribe scribe;
  Engine engine(context, transport, store, scribe, build(policy, context.seed()));
  scribe.pipeline = &engine.pipeline();
  for (CallId id = 0; id < history.calls.size(); ++id) {
    const auto& call = history.calls[id];
    context.run_until(context.now() + call.gap * tick);
    scribe.trace.push_back(
        fmt::format("call at {} with prompt {}", ns(context.now()), call.prompt));
    Request request;
    request.key = cache_key(fmt::format("prompt {}", call.prompt), "");
    scribe.end.reset();
    engine.start(id, request, never, scribe);
    context.run_until_idle();
    if (!scribe.end) {
      scribe.trace.push_back("  never ends");
      return scribe.trace;
    }
    scribe.trace.push_back(
        fmt::format("  ends at {}: {}", ns(context.now()), describe_end(*scribe.end)));
    for (const auto& info : engine.pipeline().breakers()) {
      scribe.trace.push_back(
          fmt::format("  breaker of {} is {}", info.name, describe(*info.breaker, context.now())));
    }
  }
  return std::move(scribe.trace);
}

Trace replay(const BreakerCase& history, const BreakerOptions& options) {
  struct InFlight {
    std::size_t number;
    Breaker::Permit permit;
  };
  Breaker breaker(options);
  Trace trace;
  std::vector<InFlight> in_flight;
  Instant now{};
  for (std::size_t number = 0; number < history.events.size(); ++number) {
    const auto& event = history.events[number];
    now += event.gap * tick;
    std::string did = "nothing";
    if (event.kind == BreakerCase::Event::Kind::enter) {
      const auto permit = breaker.acquire(now);
      if (permit) in_flight.push_back({number, *permit});
      did = permit ? "enter" : "rejected";
    } else if (!in_flight.empty()) {
      const auto ending =
          in_flight.begin() + static_cast<std::ptrdiff_t>(event.place % in_flight.size());
      const bool ok = event.kind == BreakerCase::Event::Kind::success;
      breaker.record(ending->permit, ok ? Verdict::success : Verdict::failure, now);
      did = fmt::format("{} of {}", ok ? "success" : "failure", ending->number);
      in_flight.erase(ending);
    }
    trace.push_back(fmt::format("{} at {}: {}, {}", number, ns(now), did, describe(breaker, now)));
  }
  return trace;
}

Result<std::vector<Trace>> replay_in_python(const std::vector<std::string>& cases) {
  const char* const named = std::getenv("BROWNOUT_PYTHON");
  const std::string python = named != nullptr ? named : "/usr/bin/python3";
  const TemporaryFile input;
  const TemporaryFile output;
  {
    std::ofstream file(input.path());
    for (const std::string& line : cases) file << line << '\n';
  }
  const std::string command =
      fmt::format("{} tests/conformance/guide/guide_reference.py < {} > {}", quoted(python),
                  quoted(input.path()), quoted(output.path()));
  if (const int status = std::system(command.c_str()); status != 0) {
    return fail(ErrorKind::environment, fmt::format("status {} from {}", status, command));
  }
  std::vector<Trace> traces = read_traces(output.path());
  if (traces.size() != cases.size()) {
    return fail(ErrorKind::environment, fmt::format("{} traces for {} cases from {}", traces.size(),
                                                    cases.size(), command));
  }
  return traces;
}

std::string difference(const Trace& ours, const Trace& python) {
  if (ours == python) return {};
  std::string text = fmt::format("  {:<76} python\n", "ours");
  for (std::size_t i = 0; i < std::max(ours.size(), python.size()); ++i) {
    const std::string left = i < ours.size() ? ours[i] : "";
    const std::string right = i < python.size() ? python[i] : "";
    text += fmt::format("{} {:<76} {}\n", left == right ? ' ' : '!', left, right);
  }
  return text;
}

}  // namespace brownout::conformance
