#include "engine/policy/server_hint.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace brownout {
namespace {

using namespace std::chrono_literals;
using Source = ServerHint::Source;
using Headers = std::vector<HeaderView>;

// Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110.
constexpr SystemTime example{784'111'777s};

ServerHint read(const Headers& headers, std::string_view text = "", SystemTime now = example) {
  return read_server_hint(headers, text, now);
}

std::optional<Duration> wait_of(const Headers& headers, SystemTime now = example) {
  return read(headers, "", now).wait;
}

std::optional<Duration> wait_in(std::string_view text) {
  return read({}, text).wait;
}

TEST(ServerHint, NothingSaidIsNoHint) {
  const ServerHint hint = read({{"content-type", "application/json"}}, "The server had an error.");
  EXPECT_EQ(hint.wait, std::nullopt);
  EXPECT_EQ(hint.should_retry, std::nullopt);
  EXPECT_EQ(hint.source, Source::nothing);
}

TEST(ServerHint, EachHeaderHasItsUnit) {
  EXPECT_EQ(wait_of({{"retry-after-ms", "644"}}), 644ms);
  EXPECT_EQ(wait_of({{"x-ms-retry-after-ms", "1500"}}), 1500ms);
  EXPECT_EQ(wait_of({{"retry-after", "20"}}), 20s);
  EXPECT_EQ(wait_of({{"grpc-retry-pushback-ms", "250"}}), 250ms);
}

TEST(ServerHint, NamesMatchWhateverTheirCaseAndValuesWithBlanksAround) {
  EXPECT_EQ(wait_of({{"Retry-After", " \t7 \t"}}), 7s);
  EXPECT_EQ(wait_of({{"RETRY-AFTER-MS", "7"}}), 7ms);
  EXPECT_EQ(wait_of({{"retry-after-m", "7"}, {"xretry-after", "7"}}), std::nullopt);
}

TEST(ServerHint, FractionsAreExactAndBelowANanosecondRoundedUp) {
  EXPECT_EQ(wait_of({{"retry-after", "0.5"}}), 500ms);
  EXPECT_EQ(wait_of({{"retry-after", "58.821668433"}}), 58'821'668'433ns);
  EXPECT_EQ(wait_of({{"retry-after", "1.0000000001"}}), 1s + 1ns);
  EXPECT_EQ(wait_of({{"retry-after", "1.0000000000"}}), 1s);
  EXPECT_EQ(wait_of({{"retry-after-ms", "0.0000001"}}), 1ns);
  EXPECT_EQ(wait_of({{"retry-after", "0." + std::string(500, '0') + "1"}}), 1ns);
}

TEST(ServerHint, ExponentsCount) {
  EXPECT_EQ(wait_of({{"retry-after", "1e3"}}), 1000s);
  EXPECT_EQ(wait_of({{"retry-after", "2.5E+1"}}), 25s);
  EXPECT_EQ(wait_of({{"retry-after", "1e-05"}}), 10us);
  EXPECT_EQ(wait_of({{"retry-after", "1e-99999999999999999999"}}), 1ns);
  EXPECT_EQ(wait_of({{"retry-after", "0e99999999999999999999"}}), 0s);
}

TEST(ServerHint, ANumberBeyondEveryDurationIsLongAndNotInvalid) {
  EXPECT_EQ(wait_of({{"retry-after", "9223372036"}}), 9'223'372'036s);
  EXPECT_EQ(wait_of({{"retry-after", "9223372037"}}), forever);
  EXPECT_EQ(wait_of({{"retry-after", "1e400"}}), forever);
  EXPECT_EQ(wait_of({{"retry-after-ms", std::string(4000, '9')}}), forever);
  EXPECT_EQ(wait_of({{"retry-after", "Fri, 31 Dec 9999 23:59:59 GMT"}}), forever);
}

TEST(ServerHint, GarbageIsNoHint) {
  for (const char* value :
       {"",         " ",  "-1",  "-0",    "+5",    "nan",  "NaN",       "inf",
        "Infinity", "1e", "1e+", "1e3.5", "0x10",  "5s",   "5 seconds", "1,5",
        "5, 7",     "1.", ".5",  "1.2.3", "1 000", "soon", "\0",        "5\n"}) {
    EXPECT_EQ(wait_of({{"retry-after", value}}), std::nullopt) << value;
    EXPECT_EQ(wait_of({{"retry-after-ms", value}}), std::nullopt) << value;
  }
  EXPECT_EQ(wait_of({{"retry-after", std::string_view("5\0", 2)}}), std::nullopt);
}

TEST(ServerHint, MillisecondsComeBeforeSecondsAndHeadersBeforeText) {
  Headers headers{{"grpc-retry-pushback-ms", "4"},
                  {"retry-after", "3"},
                  {"x-ms-retry-after-ms", "2"},
                  {"retry-after-ms", "1"}};
  const std::vector<std::pair<Source, Duration>> order{{Source::retry_after_ms, 1ms},
                                                       {Source::x_ms_retry_after_ms, 2ms},
                                                       {Source::retry_after, 3s},
                                                       {Source::grpc_pushback, 4ms}};
  // The first in order is the last in the reply; once it is taken away, the second speaks.
  for (const auto& [source, wait] : order) {
    const ServerHint hint = read(headers, "Please try again in 5s.");
    EXPECT_EQ(hint.source, source) << to_string(hint.source);
    EXPECT_EQ(hint.wait, wait);
    headers.pop_back();
  }
  EXPECT_EQ(read(headers, "Please try again in 5s.").source, Source::message);
}

TEST(ServerHint, AHeaderThatCannotBeReadLeavesTheWordToTheNext) {
  const ServerHint hint = read({{"retry-after-ms", "nan"}, {"retry-after", "3"}});
  EXPECT_EQ(hint.wait, 3s);
  EXPECT_EQ(hint.source, Source::retry_after);
}

TEST(ServerHint, ZeroIsTheResultOnlyWhenNobodyAsksForMore) {
  EXPECT_EQ(wait_of({{"retry-after-ms", "0"}, {"retry-after", "3"}}), 3s);
  EXPECT_EQ(read({{"retry-after", "0"}}, "Please try again in 20s.").wait, 20s);
  const ServerHint zero = read({{"retry-after-ms", "0"}, {"retry-after", "0"}});
  EXPECT_EQ(zero.wait, 0s);
  EXPECT_EQ(zero.source, Source::retry_after_ms);
}

TEST(ServerHint, OfAHeaderSentTwiceTheLongerCounts) {
  EXPECT_EQ(wait_of({{"retry-after", "3"}, {"Retry-After", "9"}, {"retry-after", "junk"}}), 9s);
}

TEST(ServerHint, TheThreeFormsOfAnHttpDateAreOneInstant) {
  const SystemTime now = example - 90s;
  for (const char* date : {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                           "Sun Nov  6 08:49:37 1994", "Sun Nov 06 08:49:37 1994"}) {
    const ServerHint hint = read({{"retry-after", date}}, "", now);
    EXPECT_EQ(hint.wait, 90s) << date;
    EXPECT_EQ(hint.source, Source::retry_after);
  }
}

TEST(ServerHint, ADateIsRoundedUpToAWholeSecondFromNow) {
  const Headers headers{{"retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"}};
  EXPECT_EQ(wait_of(headers, example - 5s), 5s);
  EXPECT_EQ(wait_of(headers, example - 5s + 1ns), 5s);
  EXPECT_EQ(wait_of(headers, example - 4s - 1ns), 5s);
  EXPECT_EQ(wait_of(headers, example - 1ns), 1s);
}

TEST(ServerHint, APastDateAsksForNothing) {
  const Headers headers{{"retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"}};
  for (const Duration late : {Duration{0}, Duration{1ns}, Duration{24h}}) {
    EXPECT_EQ(wait_of(headers, example + late), 0s);
  }
  EXPECT_EQ(wait_of({{"retry-after", "Mon, 01 Jan 0001 00:00:00 GMT"}}), 0s);
}

TEST(ServerHint, ATwoDigitYearIsAtMostFiftyYearsAhead) {
  using std::chrono::sys_days;
  using namespace std::chrono;
  const SystemTime now = sys_days{2026y / January / 1};
  const auto in_2076 = sys_days{2076y / January / 1} - sys_days{2026y / January / 1};
  EXPECT_EQ(wait_of({{"retry-after", "Wednesday, 01-Jan-76 00:00:00 GMT"}}, now), in_2076);
  EXPECT_EQ(wait_of({{"retry-after", "Saturday, 01-Jan-77 00:00:00 GMT"}}, now), 0s);
  EXPECT_EQ(wait_of({{"retry-after", "Saturday, 01-Jan-00 00:00:00 GMT"}},
                    sys_days{1999y / December / 31}),
            24h);
}

TEST(ServerHint, WhatIsNoDateIsNoHint) {
  for (const char* date :
       {"Sun, 31 Feb 2030 08:49:37 GMT", "Sun, 00 Nov 2030 08:49:37 GMT",
        "Sun, 06 Nov 2030 24:00:00 GMT", "Sun, 06 Nov 2030 08:60:00 GMT",
        "Sun, 06 Nov 2030 08:49:61 GMT", "Sun, 06 Nov 2030 08:49:37", "Sun, 06 Nov 2030 08:49:37 ",
        "Sun, 06 Nov 2030 08:49:37 PST", "Sun, 06 Nov 2030 08:49:37 GMT+1",
        "Sun, 6 Nov 2030 08:49:37 GMT", "Son, 06 Nov 2030 08:49:37 GMT",
        "Sun, 06 Now 2030 08:49:37 GMT", "Sun, 06-Nov-30 08:49:37 GMT", "2030-11-06T08:49:37Z",
        "06 Nov 2030 08:49:37 GMT", "Sun Nov 6 08:49:37 2030", "Sun,", "Sunday"}) {
    EXPECT_EQ(wait_of({{"retry-after", date}}), std::nullopt) << date;
  }
}

TEST(ServerHint, ALeapSecondIsTheSecondAfterIt) {
  EXPECT_EQ(wait_of({{"retry-after", "Sun, 06 Nov 1994 08:49:60 GMT"}}), 23s);
}

TEST(ServerHint, ShouldRetryIsReadAndFalseWins) {
  EXPECT_EQ(read({{"X-Should-Retry", "true"}}).should_retry, true);
  EXPECT_EQ(read({{"x-should-retry", " FALSE "}}).should_retry, false);
  EXPECT_EQ(read({{"x-should-retry", "maybe"}}).should_retry, std::nullopt);
  EXPECT_EQ(read({{"x-should-retry", "false"}, {"x-should-retry", "true"}}).should_retry, false);
  EXPECT_EQ(read({{"x-should-retry", "true"}, {"grpc-retry-pushback-ms", "-1"}}).should_retry,
            false);
}

TEST(ServerHint, APushbackThatIsNegativeOrUnreadableForbidsTheRetry) {
  for (const char* value : {"-1", "", "soon", "1.5", "1e3"}) {
    const ServerHint hint = read({{"grpc-retry-pushback-ms", value}});
    EXPECT_EQ(hint.should_retry, false) << value;
    EXPECT_EQ(hint.wait, std::nullopt) << value;
  }
  EXPECT_EQ(read({{"grpc-retry-pushback-ms", "0"}}).should_retry, std::nullopt);
}

// Captured messages of OpenAI, Azure and Gemini.
TEST(ServerHint, TheWordsOfProvidersAreUnderstood) {
  EXPECT_EQ(wait_in("Rate limit reached for gpt-4o in organization org-1 on tokens per min (TPM): "
                    "Limit 30000, Used 29937, Requested 385. Please try again in 644ms. Visit "
                    "https://platform.openai.com/account/rate-limits to learn more."),
            644ms);
  EXPECT_EQ(wait_in("Limit 10000, Used 8554, Requested 3082. Please try again in 9.816s. Visit"),
            9'816ms);
  EXPECT_EQ(wait_in("on requests per day (RPD): Limit 200. Please try again in 7m12s."),
            7min + 12s);
  EXPECT_EQ(wait_in("try again in 1m2.5s"), 62'500ms);
  EXPECT_EQ(wait_in("exceeded token rate limit of your current AIServices S0 pricing tier. Please "
                    "retry after 86400 seconds. Please contact Azure support service"),
            24h);
  EXPECT_EQ(wait_in("Please retry after 1 second."), 1s);
  EXPECT_EQ(wait_in("model: gemini-2.5-flash\nPlease retry in 58.821668433s."), 58'821'668'433ns);
  EXPECT_EQ(wait_in("PLEASE TRY AGAIN AFTER 1 Minute 30 Seconds"), 90s);
}

TEST(ServerHint, RetryDelayIsFoundInABodyHoweverItIsQuoted) {
  const ServerHint hint = read({}, R"({"@type":"google.rpc.RetryInfo","retryDelay":"52s"})");
  EXPECT_EQ(hint.wait, 52s);
  EXPECT_EQ(hint.source, Source::retry_delay);
  EXPECT_EQ(wait_in("\"retryDelay\" : \n \"0.5s\""), 500ms);
  EXPECT_EQ(wait_in(R"("error": "{\"retryDelay\": \"58.82s\"}")"), 58'820ms);
  EXPECT_EQ(wait_in(R"("retryDelay": null)"), std::nullopt);
}

TEST(ServerHint, OfSeveralHintsInATextTheLongestCounts) {
  const ServerHint hint =
      read({}, R"({"message":"Please retry in 58.821668433s.","retryDelay":"58s"})");
  EXPECT_EQ(hint.wait, 58'821'668'433ns);
  EXPECT_EQ(hint.source, Source::message);
  EXPECT_EQ(read({}, R"("Please retry in 1s." "retryDelay":"58s")").source, Source::retry_delay);
  EXPECT_EQ(wait_in("try again in 3s or try again in 9s or try again in 5s"), 9s);
}

TEST(ServerHint, ASentenceWithoutADurationIsNoHint) {
  for (const char* text :
       {"The model is overloaded. Please try again later.", "try again in", "try again in a minute",
        "retry after 60", "retry in -5s", "retry in 5 apples", "retry in .5s", "try again in5 ",
        "please entry in 5s", "retryDelay"}) {
    EXPECT_EQ(wait_in(text), std::nullopt) << text;
  }
}

TEST(ServerHint, ADurationEndsWhereItsUnitsStopShrinking) {
  EXPECT_EQ(wait_in("retry in 30 seconds 5 times"), 30s);
  EXPECT_EQ(wait_in("retry in 30s 2m"), 30s);
  EXPECT_EQ(wait_in("retry in 1h 2m 3s 4ms"), 1h + 2min + 3s + 4ms);
  EXPECT_EQ(wait_in("retry in 99999999999999999999 days"), forever);
}

// --- reading whatever comes -------------------------------------------------------------------

RC_GTEST_PROP(ServerHint, ADecimalIsExactOrOneNanosecondMore, ()) {
  const auto value = *rc::gen::inRange<std::int64_t>(0, Duration::max().count());
  const auto more = *rc::gen::container<std::string>(rc::gen::inRange('0', char{'9' + 1}));
  const std::string text =
      fmt::format("{}.{:09}{}", value / 1'000'000'000, value % 1'000'000'000, more);
  const bool exact = std::ranges::all_of(more, [](char digit) { return digit == '0'; });
  RC_ASSERT(wait_of({{"retry-after", text}}) == Duration{value + (exact ? 0 : 1)});
}

RC_GTEST_PROP(ServerHint, ADurationInASentenceIsReadBack, ()) {
  const Duration value{*rc::gen::inRange<std::int64_t>(0, Duration::max().count())};
  const std::string text = "Please try again in " + format_duration(value) + ". Visit";
  RC_ASSERT(wait_in(text) == value);
}

RC_GTEST_PROP(ServerHint, DatesAreReadBackInEveryForm, ()) {
  using namespace std::chrono;
  static constexpr std::array names{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const sys_seconds then{seconds{*rc::gen::inRange<std::int64_t>(0, 4'102'444'800)}};
  const SystemTime now = then - nanoseconds{*rc::gen::inRange<std::int64_t>(0, 1'000'000'000'000)};
  const year_month_day day{floor<days>(then)};
  const hh_mm_ss clock{then - floor<days>(then)};
  const std::string time = fmt::format("{:02}:{:02}:{:02}", clock.hours().count(),
                                       clock.minutes().count(), clock.seconds().count());
  const char* month = names[static_cast<unsigned>(day.month()) - 1];
  const auto number = static_cast<unsigned>(day.day());
  const int year = static_cast<int>(day.year());
  const Duration expected = ceil<seconds>(then - now);
  RC_ASSERT(
      wait_of({{"retry-after", fmt::format("Mon, {:02} {} {} {} GMT", number, month, year, time)}},
              now) == expected);
  RC_ASSERT(wait_of({{"retry-after", fmt::format("Monday, {:02}-{}-{:02} {} GMT", number, month,
                                                 year % 100, time)}},
                    now) == expected);
  RC_ASSERT(wait_of({{"retry-after", fmt::format("Mon {} {:2} {} {}", month, number, time, year)}},
                    now) == expected);
}

rc::Gen<std::string> almost_a_hint() {
  const auto piece = rc::gen::weightedOneOf<std::string>(
      {{5, rc::gen::element<std::string>(
               "try again in ", "retry after ", "retry in ", "retryDelay", "\": \"", "0", "1", "5",
               "644", "99999999999999999999999", ".", "-", "+", "e", "E9999", " ", "\t", ",", ":",
               "s", "ms", "m", "h", "d", "ns", "seconds", "nan", "inf", "Sun, 06 Nov ", "1994",
               "08:49:37", " GMT", "Sunday, 06-Nov-", "Sun Nov  6 ", "true", "false")},
       {1, rc::gen::arbitrary<std::string>()}});
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(piece),
                      [](const std::vector<std::string>& pieces) {
                        std::string text;
                        for (const std::string& part : pieces) text += part;
                        return text;
                      });
}

ServerHint read_anything() {
  const auto names = *rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
      "retry-after-ms", "X-MS-Retry-After-Ms", "retry-after", "Retry-After", "x-should-retry",
      "grpc-retry-pushback-ms", "date", ""));
  const auto values = *rc::gen::container<std::vector<std::string>>(names.size(), almost_a_hint());
  Headers headers;
  for (std::size_t i = 0; i < names.size(); ++i) headers.push_back({names[i], values[i]});
  const auto text = *almost_a_hint();
  const SystemTime now{Duration{*rc::gen::arbitrary<std::int64_t>()}};
  return read(headers, text, now);
}

RC_GTEST_PROP(ServerHint, WhateverComesTheWaitIsValidOrAbsent, ()) {
  const ServerHint hint = read_anything();
  RC_ASSERT(hint.wait.has_value() == (hint.source != Source::nothing));
  if (hint.wait) RC_ASSERT(*hint.wait >= 0ns);
}

// --- obeying ----------------------------------------------------------------------------------

ServerHint hint_of(Duration wait) {
  return {wait, std::nullopt, Source::retry_after};
}

TEST(HintPolicy, TheDefaultNeverReturnsSoonerAndStopsAboveTwoMinutes) {
  EXPECT_EQ(apply_hint({}, 4s, hint_of(6s)).wait, 6s);
  EXPECT_EQ(apply_hint({}, 9s, hint_of(6s)).wait, 9s);
  EXPECT_EQ(apply_hint({}, 4s, {}).wait, 4s);
  EXPECT_EQ(apply_hint({}, 4s, hint_of(120s)).wait, 120s);
  EXPECT_EQ(apply_hint({}, 4s, hint_of(120s + 1ns)).stop, HintStop::too_long);
  EXPECT_EQ(apply_hint({}, 500s, hint_of(forever)).stop, HintStop::too_long);
}

TEST(HintPolicy, ARefusalStopsUnlessItIsIgnored) {
  const ServerHint refusal{6s, false, Source::retry_after};
  EXPECT_EQ(apply_hint({}, 4s, refusal).stop, HintStop::refused);
  EXPECT_EQ(apply_hint({.obey_should_retry = ObeyShouldRetry::ignore}, 4s, refusal).wait, 6s);
  EXPECT_TRUE(apply_hint({}, 4s, {6s, true, Source::retry_after}).retries());
}

TEST(HintPolicy, AHintAboveTheCapMayBeClampedOrIgnoredWhenThatIsAskedFor) {
  EXPECT_EQ(apply_hint({.cap = 60s, .above_cap = AboveCap::clamp}, 4s, hint_of(300s)).wait, 60s);
  EXPECT_EQ(apply_hint({.cap = 60s, .above_cap = AboveCap::clamp}, 90s, hint_of(300s)).wait, 90s);
  EXPECT_EQ(apply_hint({.cap = 60s, .above_cap = AboveCap::ignore}, 4s, hint_of(300s)).wait, 4s);
}

TEST(HintPolicy, StretchDoesNotOverflow) {
  const HintOptions options{.policy = HintPolicy::stretch, .cap = forever, .stretch_by = forever};
  EXPECT_EQ(apply_hint(options, 4s, hint_of(forever)).wait, forever);
}

// Options under which a policy waits as a known client does, and what that client makes of a reply.
struct Seen {
  HeaderView header;
  Duration computed;
  std::optional<Duration> wait;  // none: the client stops
};

struct Client {
  const char* name;
  HintOptions options;
  std::vector<Seen> seen;
};

std::vector<Client> openai_clients() {
  return {{"openai-python e43b422",
           {.policy = HintPolicy::verbatim},
           {{{"retry-after-ms", "644"}, 1s, 644ms},
            {{"retry-after", "0.25"}, 1s, 250ms},
            {{"retry-after", "120"}, 1s, 120s},
            {{"retry-after", "120.001"}, 1s, std::nullopt},
            {{"retry-after", "0"}, 1s, 1s},
            {{"retry-after", "-5"}, 1s, 1s},
            {{"retry-after", "nan"}, 1s, 1s},
            {{"retry-after", "Sun, 06 Nov 1994 08:49:47 GMT"}, 1s, 10s},
            {{"x-should-retry", "false"}, 1s, std::nullopt}}},
          {"openai-node 6.49.0",
           {.policy = HintPolicy::verbatim, .cap = forever, .zero_is_now = true},
           {{{"retry-after-ms", "644"}, 1s, 644ms},
            {{"retry-after", "198300"}, 1s, 198'300s},
            {{"retry-after", "0"}, 1s, 0s},
            {{"x-should-retry", "false"}, 1s, std::nullopt}}}};
}

std::vector<Client> other_clients() {
  const Duration below_minute = 60s - 1ns;
  return {{"Anthropic TypeScript 1.12.0",
           {.policy = HintPolicy::verbatim, .cap = 2'147'483'647ms, .above_cap = AboveCap::ignore},
           {{{"retry-after-ms", "2147483647"}, 1s, 2'147'483'647ms},
            {{"retry-after-ms", "2147483648"}, 1s, 1s},
            {{"retry-after", "0"}, 1s, 1s}}},
          {"Anthropic Python",
           {.policy = HintPolicy::verbatim, .cap = 60s, .above_cap = AboveCap::ignore},
           {{{"retry-after", "60"}, 1s, 60s}, {{"retry-after", "61"}, 1s, 1s}}},
          {"Vercel AI SDK 6.0.326",
           {.policy = HintPolicy::verbatim,
            .cap = below_minute,
            .above_cap = AboveCap::ignore,
            .zero_is_now = true,
            .obey_should_retry = ObeyShouldRetry::ignore},
           {{{"retry-after", "59.999"}, 2s, 59'999ms},
            {{"retry-after", "60"}, 2s, 2s},
            {{"retry-after", "300"}, 2s, 2s},
            {{"retry-after", "0"}, 2s, 0s},
            {{"retry-after", "-1"}, 2s, 2s},
            {{"x-should-retry", "false"}, 2s, 2s}}},
          {"LangChain JS 1.4.0",
           {.policy = HintPolicy::at_least, .cap = 60s},
           {{{"retry-after", "20"}, 1s, 20s},
            {{"retry-after", "20"}, 32s, 32s},
            {{"retry-after", "61"}, 1s, std::nullopt}}},
          {"LiteLLM, before its jitter",
           {.policy = HintPolicy::verbatim, .cap = 60s, .above_cap = AboveCap::ignore},
           {{{"retry-after", "60"}, 1s, 60s},
            {{"retry-after", "0"}, 1s, 1s},
            {{"retry-after", "61"}, 1s, 1s}}},
          {"Portkey 669825c, first wait",
           {.policy = HintPolicy::verbatim, .cap = below_minute},
           {{{"x-ms-retry-after-ms", "59999"}, 1s, 59'999ms},
            {{"retry-after", "60"}, 1s, std::nullopt}}},
          {"AWS SDKs of 2026",
           {.policy = HintPolicy::stretch, .cap = forever},
           {{{"retry-after", "3"}, 1s, 3s},
            {{"retry-after", "60"}, 1s, 6s},
            {{"retry-after", "3"}, 10s, 10s}}},
          {"gRPC A6",
           {.policy = HintPolicy::verbatim, .cap = forever, .zero_is_now = true},
           {{{"grpc-retry-pushback-ms", "250"}, 1s, 250ms},
            {{"grpc-retry-pushback-ms", "0"}, 1s, 0s},
            {{"grpc-retry-pushback-ms", "-1"}, 1s, std::nullopt},
            {{"grpc-retry-pushback-ms", "x"}, 1s, std::nullopt}}},
          {"Polly's HTTP handler",
           {.policy = HintPolicy::verbatim, .cap = forever, .zero_is_now = true},
           {{{"retry-after", "86400"}, 2s, 24h},
            {{"retry-after", "Sun, 06 Nov 1994 08:49:36 GMT"}, 2s, 0s}}},
          {"tenacity 8.2.2",
           {.policy = HintPolicy::ignore, .obey_should_retry = ObeyShouldRetry::ignore},
           {{{"retry-after", "60"}, 1s, 1s}, {{"x-should-retry", "false"}, 1s, 1s}}}};
}

void expect_as_seen(const std::vector<Client>& clients) {
  for (const Client& client : clients) {
    for (const Seen& seen : client.seen) {
      const HintDecision decision = apply_hint(client.options, seen.computed, read({seen.header}));
      const auto label =
          fmt::format("{}: {}: {}", client.name, seen.header.name, seen.header.value);
      EXPECT_EQ(decision.retries(), seen.wait.has_value()) << label;
      if (seen.wait) {
        EXPECT_EQ(decision.wait, *seen.wait) << label;
      }
    }
  }
}

TEST(HintPolicy, WaitsAsTheClientsOfOpenAiDo) {
  expect_as_seen(openai_clients());
}

TEST(HintPolicy, WaitsAsOtherClientsDo) {
  expect_as_seen(other_clients());
}

RC_GTEST_PROP(HintPolicy, NeverSoonerThanAHintThatIsObeyed, ()) {
  HintOptions options;
  options.policy = *rc::gen::element(HintPolicy::verbatim, HintPolicy::at_least);
  options.cap = Duration{*rc::gen::inRange<std::int64_t>(0, 1'000'000'000'000)};
  const Duration computed{*rc::gen::inRange<std::int64_t>(0, 1'000'000'000'000)};
  const ServerHint hint = read_anything();
  const HintDecision decision = apply_hint(options, computed, hint);
  if (!decision.retries()) {
    RC_ASSERT(hint.should_retry == false || hint.wait > options.cap);
  } else if (hint.wait && *hint.wait > 0ns) {
    RC_ASSERT(decision.wait >= *hint.wait);
  } else {
    RC_ASSERT(decision.wait == computed);
  }
}

RC_GTEST_PROP(HintPolicy, NoPolicyTurnsAHintIntoAHotLoop, ()) {
  HintOptions options;
  options.policy = *rc::gen::element(HintPolicy::ignore, HintPolicy::verbatim, HintPolicy::at_least,
                                     HintPolicy::stretch);
  options.above_cap = *rc::gen::element(AboveCap::stop, AboveCap::clamp, AboveCap::ignore);
  const Duration computed = 1s;
  const ServerHint hint = read_anything();
  const HintDecision decision = apply_hint(options, computed, hint);
  const Duration least = hint.wait && *hint.wait > 0ns ? *hint.wait : computed;
  if (decision.retries()) RC_ASSERT(decision.wait >= std::min(computed, least));
}

}  // namespace
}  // namespace brownout
