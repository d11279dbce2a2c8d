#pragma once

// An HttpTransport on real time, asked by a test that waits for what becomes of it.

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/runtime/asio_runtime.hpp"
#include "engine/transport/http/http_transport.hpp"

namespace brownout::testing {

/// What became of an attempt.
class Heard final : public AttemptListener {
 public:
  void on_first_output() override { ++first_outputs; }
  void on_output(std::string_view piece) override {
    text += piece;
    ++pieces;
    if (on_piece) on_piece();
  }
  void on_end(Outcome&& ended) override {
    ended_inside_start = ended_inside_start || starting;
    ++ends;
    outcome = std::move(ended);
    if (on_ended) on_ended();
  }

  std::optional<Outcome> outcome;
  std::string text;
  int pieces = 0;
  int first_outputs = 0;
  int ends = 0;
  bool starting = false;
  bool ended_inside_start = false;
  std::function<void()> on_piece;
  std::function<void()> on_ended;
};

/// One provider, "p/m", behind a transport that the test's thread runs.
class Lab {
 public:
  explicit Lab(EndpointOptions options) {
    options.provider = "p";
    auto opened = HttpEndpoints::open({std::move(options)});
    if (!opened) {
      for (const Error& error : opened.error()) complaints += error.to_string();
      return;
    }
    transport = std::make_unique<HttpTransport>(
        runtime, *opened, std::vector<std::string>{"p/m"}, [this](const HttpTrouble& trouble) {
          troubles.push_back(std::string(trouble.stage) + ": " + trouble.message);
        });
  }
  explicit Lab(const std::string& url) : Lab(EndpointOptions{.url = url}) {}

  /// `limits.end` and so on count from now; `request` must stay.
  Transport::Handle start(const Request& request, const Limits& limits, Heard& heard) {
    heard.starting = true;
    const auto handle = transport->start({.call = 7, .request = &request, .limits = limits}, heard);
    heard.starting = false;
    return handle;
  }

  static Request request(bool stream = false, std::string body = R"({"prompt": "hello"})") {
    Request made{.input_tokens = 5, .stream = stream};
    made.body = std::make_shared<const std::string>(std::move(body));
    return made;
  }

  /// Makes an attempt and waits for its end.
  Outcome ask(const Request& request, const Limits& limits = {}) {
    Heard heard;
    return ask(request, limits, heard);
  }
  Outcome ask(const Request& request, const Limits& limits, Heard& heard) {
    start(request, limits, heard);
    run_until([&] { return heard.outcome.has_value(); });
    return heard.outcome ? *heard.outcome : Outcome::failure(OutcomeKind::cancelled);
  }

  bool run_until(const std::function<bool()>& done,
                 std::chrono::milliseconds patience = std::chrono::seconds{10}) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (!done()) {
      if (std::chrono::steady_clock::now() >= until) return false;
      context.restart();
      context.run_one_for(std::chrono::milliseconds{5});
    }
    return true;
  }
  void run_for(std::chrono::milliseconds time) {
    run_until([] { return false; }, time);
  }

  Instant in(Duration time) const { return after(runtime.now(), time); }

  boost::asio::io_context context{1};
  AsioRuntime runtime{context.get_executor(), 1};
  std::string complaints;
  std::vector<std::string> troubles;
  std::unique_ptr<HttpTransport> transport;
};

}  // namespace brownout::testing
