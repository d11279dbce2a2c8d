#include "tests/conformance/transport/attempts.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <utility>

#include "tests/mockserver/http/raw_client.hpp"
#include "tests/mockserver/scripts.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;

constexpr JobName begin_job{"an attempt begins"};
constexpr JobName detach_job{"an attempt is given up"};
constexpr Duration between_parts = 2ms;
constexpr std::uint32_t input_tokens = 100;

class Job final : public Timer {
 public:
  Job(const JobName& name, std::function<void()> act) : Timer(name), act_(std::move(act)) {}
  void fire() override { act_(); }

 private:
  std::function<void()> act_;
};

bool is_whole_utf8(std::string_view text) {
  int missing = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool continues = (byte & 0xC0) == 0x80;
    if (continues != (missing > 0)) return false;
    if (continues) {
      --missing;
    } else {
      missing = byte < 0x80 ? 0 : byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
    }
  }
  return missing == 0;
}

// An attempt on its way. What a transport may not do is noted as it happens.
class Probe final : public AttemptListener {
 public:
  Probe(TransportStage& stage, const Part& part, const Attempt& attempt)
      : stage_(stage),
        part_(part),
        attempt_(attempt),
        begin_(begin_job, [this] { begin(); }),
        detach_(detach_job, [this] { detach(); }) {
    request_.input_tokens = input_tokens;
    request_.max_tokens = part.request_cap;
    request_.stream = part.stream;
    request_.tag = said_tokens;
    static const auto body = std::make_shared<const std::string>(R"({"prompt": "hello"})");
    request_.body = body;
  }
  ~Probe() {
    stage_.runtime().disarm(begin_);
    stage_.runtime().disarm(detach_);
  }

  void begin_at(Instant at) {
    stage_.runtime().arm(begin_, at);
    due_ = at;
  }
  const Seen& seen() const { return seen_; }

  // What can be judged only when everything is over.
  void look_back(World world) {
    const auto expect = [this](bool holds, const char* what) {
      if (!holds) breach(what);
    };
    if (!seen_.outcome) return breach("it has not ended");
    const Outcome& outcome = *seen_.outcome;
    expect(seen_.ends == (seen_.detached ? 0 : 1), "it did not end once");
    const bool spoke = outcome.first_output != never;
    expect(!spoke || part_.stream, "output before the end without a stream");
    expect(outcome.committed == (spoke && !part_.hold),
           "committed is not what the caller has seen");
    const bool told = spoke && part_.tell && part_.stream && !part_.hold;
    expect(seen_.first_outputs == (told ? 1 : 0), "first output and outcome differ");
    if (!carries_text(world)) return expect(seen_.pieces == 0, "text from nowhere");
    expect((seen_.pieces > 0) == (outcome.committed && !gave_up_before_text()),
           "committed without text");
    if (!outcome.ok()) return;
    expect(outcome.reply.text != nullptr, "a success without text");
    if (part_.stream && !part_.hold) {
      expect(seen_.text == *outcome.reply.text, "the pieces are not the text");
    }
  }

  void on_first_output() override {
    heard();
    if (++seen_.first_outputs > 1) breach("a second first output");
    if (seen_.pieces > 0) breach("text before the first output");
    if (part_.detached.when == Detached::When::on_first_output) detach();
  }

  void on_output(std::string_view text) override {
    heard();
    if (!part_.stream || part_.hold) breach("text that nobody wanted yet");
    if (part_.tell && seen_.first_outputs == 0) breach("text without a first output");
    if (text.empty()) breach("an empty piece");
    if (!is_whole_utf8(text)) breach("a piece of a character");
    seen_.text += text;
    ++seen_.pieces;
  }

  void on_end(Outcome&& outcome) override {
    heard();
    ++seen_.ends;
    end(std::move(outcome));
  }

 private:
  void begin() {
    Runtime& runtime = stage_.runtime();
    began_ = runtime.now();
    seen_.late = began_ - due_;
    Limits& limits = attempt_.limits;
    limits.end = after(began_, part_.end);
    limits.first_token = part_.first_token;
    limits.idle = part_.idle;
    limits.connect = part_.connect;
    limits.max_tokens = part_.cap;
    limits.tell_first_output = part_.tell;
    limits.hold_output = part_.hold;
    attempt_.request = &request_;
    inside_start_ = true;
    handle_ = stage_.transport().start(attempt_, *this);
    inside_start_ = false;
    if (part_.detached.when != Detached::When::at) return;
    if (part_.detached.after == 0ns) return detach();
    runtime.arm(detach_, after(began_, part_.detached.after));
  }

  void detach() {
    if (seen_.outcome) return;
    seen_.detached = true;
    end(stage_.transport().detach(handle_));
  }

  void end(Outcome&& outcome) {
    stage_.runtime().disarm(detach_);
    const Instant now = stage_.runtime().now();
    seen_.ended = now - began_;
    seen_.first_output = outcome.first_output == never ? forever : outcome.first_output - began_;
    if (outcome.first_output != never &&
        (outcome.first_output < began_ || outcome.first_output > now)) {
      breach("output before its beginning or after its end");
    }
    seen_.outcome = std::move(outcome);
  }

  void heard() {
    if (inside_start_) breach("heard of inside start()");
    if (seen_.outcome) breach("heard of after its end");
  }

  // It was told that there is text, and wanted none.
  bool gave_up_before_text() const {
    return part_.detached.when == Detached::When::on_first_output && seen_.detached;
  }

  void breach(const char* what) { seen_.breaches.emplace_back(what); }

  TransportStage& stage_;
  const Part& part_;
  Attempt attempt_;
  Request request_;
  Job begin_;
  Job detach_;
  Transport::Handle handle_{};
  Instant due_{};
  Instant began_{};
  bool inside_start_ = false;
  Seen seen_;
};

std::string model_of(std::size_t part) {
  return fmt::format("p{}", part);
}

// Of each part: whose model it asks.
std::vector<std::size_t> owners(const std::vector<Part>& parts) {
  std::vector<std::size_t> owner(parts.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    owner[i] = parts[i].after_previous ? owner[i - 1] : i;
  }
  return owner;
}

std::string faults_on(const std::string& model, const std::vector<std::string>& faults) {
  std::string list;
  for (const std::string& fault : faults) {
    list += fmt::format("{}{{\"on\": \"{}\", {}}}", list.empty() ? "" : ",\n", model, fault);
  }
  return list;
}

}  // namespace

mock::Script script_of(const std::vector<Part>& parts) {
  std::map<std::string, std::string> models;
  std::string faults;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Part& part = parts[i];
    if (part.after_previous) continue;
    std::string& list = models[part.provider];
    list += fmt::format("{}\"{}\": {{{}, \"limits\": {{{}}}}}", list.empty() ? "" : ",\n",
                        model_of(i), mock::testing::steady, part.limits);
    const std::string on = faults_on(part.provider + "/" + model_of(i), part.faults);
    if (!faults.empty() && !on.empty()) faults += ",\n";
    faults += on;
  }
  std::string providers;
  for (const auto& [name, list] : models) {
    providers += fmt::format("{}\"{}\": {{\"dialect\": \"{}\", \"models\": {{{}}}}}",
                             providers.empty() ? "" : ",\n", name,
                             name == "anthropic" ? name : "openai", list);
  }
  return mock::testing::load(
      "{" + providers + "}",
      fmt::format(R"([{{"phase": "hour", "until": "1h", "faults": [{}]}}])", faults), 1h);
}

Played play(World world, const std::vector<Part>& parts) {
  Played played;
  const int files = mock::http::testing::open_files();
  {
    const mock::Script script = script_of(parts);
    const std::vector<std::size_t> owner = owners(parts);
    const auto stage = TransportStage::open(world, script);
    std::deque<Probe> probes;
    stage->run([&] {
      Instant turn = after(stage->runtime().now(), between_parts);
      Instant begins = turn;
      for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto model = script.find_model(parts[owner[i]].provider + "/" + model_of(owner[i]));
        probes.emplace_back(
            *stage, parts[i],
            Attempt{.call = i, .target = model.value_or(0), .request = nullptr, .limits = {}});
        turn = after(turn, between_parts);
        begins = parts[i].after_previous ? after(begins, *parts[i].after_previous) : turn;
        probes.back().begin_at(begins);
      }
    });
    for (Probe& probe : probes) {
      probe.look_back(world);
      played.seen.push_back(probe.seen());
    }
    played.leftovers = stage->leftovers();
  }
  played.files_left = mock::http::testing::open_files() - files;
  return played;
}

}  // namespace brownout::testing
