// Every fault on the wire, at every place, in both dialects, in streams and in whole replies: both
// transports see what a correct client sees, and tell the same of it.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <string>
#include <vector>

#include "mockserver/wire/completion.hpp"
#include "tests/conformance/transport/attempts.hpp"
#include "tests/support/mockserver/wire_faults.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;
using mock::FaultEffect;
using mock::FaultSpec;
using mock::WirePoint;
using mock::WireWord;
using Place = WirePoint::Place;

constexpr Duration long_after = 5s;
constexpr Duration first_token = 100ms;
constexpr Duration last_token = 200ms;

const std::vector<Part>& parts() {
  static const std::vector<Part> all = [] {
    std::vector<Part> list;
    for (const std::string& fault : mock::testing::all_faults()) {
      for (const char* provider : {"openai", "anthropic"}) {
        for (const bool stream : {false, true}) {
          Part part{.name = fmt::format("{} at {}{}", fault, provider, stream ? ", streamed" : ""),
                    .provider = provider,
                    .faults = {fault},
                    .stream = stream};
          part.limits = provider == std::string_view("openai")
                            ? R"("rpm": 600, "tpm": 90000)"
                            : R"("rpm": 600, "itpm": 50000, "otpm": 40000)";
          part.end = stream ? forever : long_after;
          part.first_token = part.idle = long_after;
          list.push_back(std::move(part));
        }
      }
    }
    return list;
  }();
  return all;
}

const Played& played(World world) {
  static std::map<World, Played> all;
  if (!all.contains(world)) all[world] = play(world, parts());
  return all[world];
}

WirePoint point_of(const FaultSpec& fault) {
  if (fault.at) return *fault.at;
  if (fault.effect == FaultEffect::wire && !fault.mid_stream) return fault.wire_point();
  // A share that is drawn comes before the end, whatever it is.
  const std::int64_t share = fault.after_share.value_or(0);
  return {.place = Place::frames, .amount = said_tokens * share / mock::billion};
}

// What a correct client makes of a reply, in the words of the guide to its dialect: nothing here
// knows of plans or bytes.
class CorrectClient {
 public:
  CorrectClient(const FaultSpec& fault, const Part& part)
      : fault_(fault),
        point_(point_of(fault)),
        stream_(part.stream),
        anthropic_(part.provider == "anthropic") {}

  OutcomeKind sees() const {
    switch (fault_.effect) {
      case FaultEffect::outage:
        return connection;
      case FaultEffect::unreachable:
      case FaultEffect::hang:
        return timed_out;
      case FaultEffect::error:
        return sees_error();
      case FaultEffect::wire:
        return sees_wire();
      case FaultEffect::latency:
        break;
    }
    return success;
  }

 private:
  OutcomeKind sees_error() const {
    const bool within = fault_.at || fault_.after_share || fault_.mid_stream;
    if (within && !is_reached()) return success;
    const bool whole = !stream_ || !headers_have_left();
    return fault_.kind == stream_truncated && whole ? connection : fault_.kind;
  }

  OutcomeKind sees_wire() const {
    switch (fault_.wire) {
      case WireWord::refuse:
        return connection;
      case WireWord::hang:
        return timed_out;
      case WireWord::reset:
      case WireWord::close:
        if (!is_reached()) return success;
        return stream_ && headers_have_left() ? stream_truncated : connection;
      case WireWord::stall:
        return is_reached() ? timed_out : success;
      case WireWord::garbage:
        return is_reached() ? malformed_reply : success;
      case WireWord::html:
      case WireWord::empty_body:
      case WireWord::wrong_content_type:
        return malformed_reply;
      case WireWord::invalid_json:
        return !stream_ || is_reached() ? malformed_reply : success;
      case WireWord::short_body:
        return stream_ ? success : connection;
      case WireWord::half_frame:
        return stream_ && is_reached() ? stream_truncated : success;
      case WireWord::missing_finish:
        return stream_ ? stream_truncated : success;
      case WireWord::missing_done:
        return stream_ && anthropic_ ? stream_truncated : success;
      case WireWord::none:
      case WireWord::duplicate_frame:
      case WireWord::sliced:
      case WireWord::slow_bytes:
      case WireWord::crlf:
      case WireWord::comments:
      case WireWord::unknown_event:
        break;
    }
    return success;
  }

  bool is_reached() const {
    switch (point_.place) {
      case Place::frames:
        return point_.amount <= said_tokens;
      case Place::bytes:
        return point_.amount <= said_tokens * mock::token_bytes;
      case Place::time:
        return Duration{point_.amount} < last_token;
      case Place::before_accept:
      case Place::after_accept:
      case Place::before_headers:
      case Place::after_headers:
      case Place::final_frame:
        break;
    }
    return true;
  }

  // Those of a stream come with its first token, of a whole reply when there is all of it.
  bool headers_have_left() const {
    switch (point_.place) {
      case Place::before_accept:
      case Place::after_accept:
      case Place::before_headers:
        return false;
      case Place::time:
        return stream_ && Duration{point_.amount} >= first_token;
      case Place::after_headers:
      case Place::frames:
      case Place::bytes:
      case Place::final_frame:
        break;
    }
    return true;
  }

  const FaultSpec& fault_;
  const WirePoint point_;
  const bool stream_;
  const bool anthropic_;
};

class WireFaults : public ::testing::TestWithParam<World> {
 protected:
  const Played& played_here() const { return played(GetParam()); }
};

TEST_P(WireFaults, SeeWhatACorrectClientSeesOfEveryFaultOnTheWire) {
  const mock::Script script = script_of(parts());
  EXPECT_GT(parts().size(), 600U);
  for (std::size_t i = 0; i < parts().size(); ++i) {
    const Part& part = parts()[i];
    SCOPED_TRACE(part.name);
    const auto model = script.find_model(fmt::format("{}/p{}", part.provider, i));
    ASSERT_TRUE(model);
    const auto& faults = script.phases.front().faults;
    const auto fault =
        std::ranges::find_if(faults, [&](const FaultSpec& one) { return one.affects(*model); });
    ASSERT_NE(fault, faults.end());
    const Seen& seen = played_here().seen[i];
    EXPECT_EQ(seen.breaches, std::vector<std::string>{});
    ASSERT_TRUE(seen.outcome);
    EXPECT_EQ(to_string(seen.outcome->kind), to_string(CorrectClient(*fault, part).sees()));
  }
}

TEST_P(WireFaults, LeaveNothingBehind) {
  EXPECT_EQ(played_here().leftovers, std::vector<std::string>{});
  EXPECT_EQ(played_here().files_left, 0);
}

INSTANTIATE_TEST_SUITE_P(Conformance, WireFaults, ::testing::Values(World::simulated, World::real),
                         [](const auto& one) { return name_of(one.param); });

// What is told of limits is rounded for the wire, and there may be less of it.
void expect_limit(const RateLimit& told, const RateLimit& known) {
  EXPECT_EQ(told.limit, known.limit);
  EXPECT_EQ(told.remaining, known.remaining);
  EXPECT_EQ(told.reset_ns < 0, known.reset_ns < 0);
}

// `know`: what the provider does and bills; `tell`: what a wire tells of it.
void expect_agreement(const Seen& know, const Seen& tell) {
  const Outcome& known = *know.outcome;
  const Outcome& told = *tell.outcome;
  EXPECT_EQ(to_string(told.kind), to_string(known.kind));
  EXPECT_EQ(told.status, known.status);
  EXPECT_EQ(told.committed, known.committed);
  EXPECT_EQ(told.retry_after, known.retry_after);
  EXPECT_EQ(told.should_retry, known.should_retry);
  EXPECT_EQ(told.first_output == never, known.first_output == never);
  EXPECT_EQ(tell.first_outputs, know.first_outputs);
  expect_limit(told.limits.requests, known.limits.requests);
  expect_limit(told.limits.tokens, known.limits.tokens);
  EXPECT_GE(tell.ended, know.ended) << "before it can have come";
  EXPECT_GE(tell.first_output, know.first_output);
  if (told.ok() || known.committed) {
    EXPECT_EQ(told.billed_input_tokens, known.billed_input_tokens);
    EXPECT_EQ(told.billed_output_tokens, known.billed_output_tokens);
  } else {
    EXPECT_LE(told.billed_input_tokens, known.billed_input_tokens);
  }
}

TEST(WireFaultsOnBoth, AgreeOnEverythingElseOfEveryFaultOnTheWire) {
  for (std::size_t i = 0; i < parts().size(); ++i) {
    SCOPED_TRACE(parts()[i].name);
    const Seen& know = played(World::simulated).seen[i];
    const Seen& tell = played(World::real).seen[i];
    ASSERT_TRUE(know.outcome && tell.outcome);
    expect_agreement(know, tell);
  }
}

TEST(WireFaultsOnBoth, TheCallerHasEveryTokenThatCameWhole) {
  for (std::size_t i = 0; i < parts().size(); ++i) {
    const Part& part = parts()[i];
    SCOPED_TRACE(part.name);
    const Seen& seen = played(World::real).seen[i];
    ASSERT_TRUE(seen.outcome);
    const Outcome& outcome = *seen.outcome;
    const std::string text = mock::wire::completion_text(i, outcome.billed_output_tokens);
    const bool twice = part.faults[0].find("duplicate_frame") != std::string::npos;
    if (outcome.committed) {
      EXPECT_TRUE(twice || seen.text == text) << seen.text;
      // A frame that comes twice is text that comes twice: nobody can know better.
      EXPECT_GE(seen.text.size(), text.size());
    }
    if (outcome.ok()) {
      EXPECT_TRUE((twice && part.stream) || *outcome.reply.text == text);
    }
  }
}

}  // namespace
}  // namespace brownout::testing
