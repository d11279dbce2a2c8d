#include "engine/telemetry/log_observer.hpp"

#include <gmock/gmock.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <regex>
#include <sstream>

#include "tests/support/engine/event_script.hpp"
#include "tests/support/engine/stage.hpp"
#include "tests/support/golden.hpp"

namespace brownout {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

// A log in memory; lines begin with their level.
class Journal {
 public:
  explicit Journal(const LogOptions& options = {}, PipelineNames names = testing::two_models())
      : logger_(std::make_shared<spdlog::logger>(
            "brownout", std::make_shared<spdlog::sinks::ostream_sink_mt>(text_))),
        log_(logger_, std::move(names), options) {
    logger_->set_pattern("%l %v");
    logger_->set_level(spdlog::level::debug);
  }

  Observer& observer() { return log_; }
  spdlog::logger& logger() { return *logger_; }
  std::string text() const { return text_.str(); }
  std::vector<std::string> lines() const {
    std::vector<std::string> lines;
    std::istringstream stream(text_.str());
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
  }

 private:
  std::ostringstream text_;
  std::shared_ptr<spdlog::logger> logger_;
  LogObserver log_;
};

TEST(LogObserver, TellsStateChangesAndFailedCallsAndNothingElse) {
  Journal journal;
  testing::play_every_event(journal.observer());
  testing::expect_golden("log-quiet.txt", journal.text());
  for (const std::string& line : journal.lines()) {
    EXPECT_TRUE(line.find("event=breaker ") != line.npos || line.find("end=failed") != line.npos)
        << line;
  }
}

TEST(LogObserver, TellsEachWaitBeforeItIfAsked) {
  Journal journal({.before_sleep = true});
  journal.observer().on_wait({.call = 17,
                              .route = 0,
                              .from = testing::at(1s),
                              .until = testing::at(3s),
                              .reason = WaitReason::retry,
                              .cause = OutcomeKind::rate_limited});
  EXPECT_THAT(journal.lines(),
              ElementsAre("warning msg=\"Retrying call 17 in 2s as it failed with rate_limited\" "
                          "event=wait call=17 route=gpt-4 reason=retry outcome=rate_limited "
                          "wait=2s"));
}

TEST(LogObserver, TellsEverythingIfAsked) {
  Journal journal({.before_sleep = true, .everything = true});
  testing::play_every_event(journal.observer());
  testing::expect_golden("log-everything.txt", journal.text());
}

TEST(LogObserver, LinesAreAMessageAndPairs) {
  static const std::regex line_format(R"(\w+ msg="[^"\\]+" event=\w+( \w+=[^\s"=]+)+)");
  Journal journal({.before_sleep = true, .everything = true});
  testing::play_every_event(journal.observer());
  EXPECT_GT(journal.lines().size(), 20U);
  for (const std::string& line : journal.lines()) {
    EXPECT_TRUE(std::regex_match(line, line_format)) << line;
  }
}

TEST(LogObserver, NeverWritesTheTextOfAReply) {
  Journal journal({.before_sleep = true, .everything = true});
  testing::play_every_event(journal.observer());
  EXPECT_EQ(journal.text().find(testing::secret_text), std::string::npos);
}

TEST(LogObserver, WritesNothingBelowTheLevelOfItsLogger) {
  Journal journal({.before_sleep = true, .everything = true});
  journal.logger().set_level(spdlog::level::err);
  testing::play_every_event(journal.observer());
  ASSERT_EQ(journal.lines().size(), 1U) << journal.text();
  EXPECT_THAT(journal.lines()[0], ::testing::HasSubstr("authentication"));
}

// 0s asks, 1s fails, waits until 2s, asks, 3s fails: given up, and the breaker opens.
TEST(LogObserver, ReadsLikeTheStoryOfACall) {
  testing::Stage stage(R"([ { "breaker": { "consecutive_failures": 1 } },
                            { "retry": { "max_attempts": 2, "wait": { "fixed": "1s" } } } ])");
  Journal journal({.before_sleep = true}, stage.engine().pipeline().names());
  stage.watcher = &journal.observer();
  stage.script("gpt-4", {testing::fails(OutcomeKind::rate_limited, 1s),
                         testing::fails(OutcomeKind::server_error, 1s)});
  stage.call({.id = 1});
  stage.run();
  EXPECT_THAT(
      journal.lines(),
      ElementsAre("warning msg=\"Retrying call 1 in 1s as it failed with rate_limited\" event=wait "
                  "call=1 route=main reason=retry outcome=rate_limited wait=1s",
                  "warning msg=\"Breaker main is open\" event=breaker breaker=main from=closed "
                  "to=open",
                  "warning msg=\"Call 1 failed with server_error after 2 attempts\" event=call "
                  "call=1 end=failed outcome=server_error class=retryable status=0 route=main "
                  "attempts=2 billed_tokens=0 took=3s"));
}

}  // namespace
}  // namespace brownout
