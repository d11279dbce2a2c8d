#include "tests/conformance/transport/cases.hpp"

#include <fmt/format.h>

#include "mockserver/dialect.hpp"
#include "mockserver/script.hpp"

namespace brownout::testing {
namespace {

using namespace std::chrono_literals;
using enum OutcomeKind;

constexpr const char* dialects[] = {"openai", "anthropic"};
// A limit that ends what would go on for ever. Over HTTP it is real time, in which a machine that
// has other things to do must have come to everything before.
constexpr Duration long_after = 5s;
constexpr std::uint32_t all_input = 100;

using Cases = std::vector<Case>;

void add(Cases& cases, Part part, Expected expected) {
  cases.push_back({std::move(part), std::move(expected)});
}

// For each dialect, and the name says which.
void add_both(Cases& cases, const Part& part, const Expected& expected) {
  for (const char* dialect : dialects) {
    Part of_dialect = part;
    of_dialect.provider = dialect;
    of_dialect.name += dialect == dialects[0] ? "OfOpenAi" : "OfAnthropic";
    add(cases, std::move(of_dialect), expected);
  }
}

// 100 ms: first token | 200 ms: the eleventh
Expected reply(bool stream, std::uint32_t tokens = said_tokens) {
  Expected expected{.at = 100ms + 10ms * (tokens - 1), .input = all_input, .output = tokens};
  if (stream) expected.first_output = 100ms;
  return expected;
}

// After so many tokens of a stream.
Expected broken(OutcomeKind kind, std::uint32_t tokens, Duration at) {
  return {.kind = kind,
          .at = at,
          .first_output = tokens > 0 ? Duration{100ms} : forever,
          .input = all_input,
          .output = tokens};
}

Expected unheard(OutcomeKind kind, Duration at) {
  return {.kind = kind, .status = 0, .at = at};
}

// The model has worked on it, but no answer tells of that.
Expected unheard(OutcomeKind kind, Duration at, std::uint32_t tokens) {
  return {.kind = kind,
          .status = 0,
          .at = at,
          .input = all_input,
          .output = tokens,
          .told = Expected::Told{}};
}

Expected with_status(Expected expected, std::uint16_t status) {
  expected.status = status;
  return expected;
}

void add_replies(Cases& cases) {
  add_both(cases, {.name = "APlainReply"}, reply(false));
  add_both(cases, {.name = "AStream", .stream = true}, reply(true));
  add_both(cases, {.name = "AStreamThatNobodyWantsToHearBegin", .stream = true, .tell = false},
           reply(true));
  add_both(cases, {.name = "AStreamThatIsHeld", .stream = true, .hold = true}, reply(true));
  add_both(cases, {.name = "AReplyThatIsCapped", .cap = 5}, reply(false, 5));
  add_both(cases, {.name = "AStreamThatTheRequestCaps", .stream = true, .request_cap = 1},
           reply(true, 1));
  add_both(cases, {.name = "ACapThatIsNarrowed", .stream = true, .cap = 3, .request_cap = 7},
           reply(true, 3));
  add_both(cases,
           {.name = "LimitsThatHold",
            .stream = true,
            .end = 9s,
            .first_token = 8s,
            .idle = 7s,
            .connect = 6s},
           reply(true));
  add_both(cases, {.name = "LimitsOfStreamsOnAPlainReply", .first_token = 1ms, .idle = 1ms},
           reply(false));
}

// Every failure that a provider answers with, as its status and inside a stream.
void add_errors(Cases& cases) {
  for (const std::string_view word : mock::provider_failures()) {
    const OutcomeKind kind = *parse_outcome_kind(word);
    for (const char* name : dialects) {
      const auto dialect =
          name == dialects[0] ? mock::DialectId::openai : mock::DialectId::anthropic;
      const std::uint16_t status = mock::error_shape(dialect, kind).status;
      const std::string suffix = fmt::format("_{}_{}", word, name);
      const std::string fault = fmt::format(R"("error": "{}")", word);
      const std::string third = fault + R"(, "at": {"frames": 3})";
      const bool answered = status >= 400;
      if (kind != stream_truncated) {
        const Expected plain{.kind = kind, .status = status, .at = 50ms};
        for (const bool stream : {false, true}) {
          add(cases,
              {.name = (stream ? "AStreamAnsweredBy" : "AReplyAnsweredBy") + suffix,
               .provider = name,
               .faults = {fault},
               .stream = stream},
              plain);
        }
      }
      if (kind == connection) continue;
      add(cases,
          {.name = "AStreamBrokenOffBy" + suffix,
           .provider = name,
           .faults = {third},
           .stream = true},
          broken(kind, 3, 130ms));
      Expected plain = unheard(kind == stream_truncated ? connection : kind, 130ms, 3);
      plain.status = answered ? status : kind == malformed_reply ? 200 : 0;
      add(cases, {.name = "AReplyBrokenOffBy" + suffix, .provider = name, .faults = {third}},
          plain);
      Expected first = broken(kind, 0, 100ms);
      // A stream that only ends has begun; Anthropic's begins with a token on the bill.
      first.told = Expected::Told{};
      if (kind == stream_truncated) {
        first.told = {all_input, dialect == mock::DialectId::anthropic ? 1U : 0U};
      }
      add(cases,
          {.name = "AStreamThatBeginsWith" + suffix,
           .provider = name,
           .faults = {fault + R"(, "after_share": 0)"},
           .stream = true},
          first);
    }
  }
}

void add_hints(Cases& cases) {
  add_both(cases,
           {.name = "AHintWhenToComeBack",
            .faults = {R"("error": "rate_limited", "retry_after": "7s")"}},
           {.kind = rate_limited, .status = 429, .at = 50ms, .retry_after = 7s});
  add_both(cases,
           {.name = "AHintNotToComeBack",
            .faults = {R"("error": "server_error", "should_retry": false)"},
            .stream = true},
           {.kind = server_error, .status = 500, .at = 50ms, .should_retry = false});
  add_both(
      cases,
      {.name = "AHintToComeBackAtOnce",
       .faults = {R"("error": "overloaded", "status": 503, "retry_after": "0s",
                          "should_retry": true)"}},
      {.kind = overloaded, .status = 503, .at = 50ms, .retry_after = 0s, .should_retry = true});
  // Some count in milliseconds and some in seconds; nobody is told to come too early.
  for (const char* dialect : dialects) {
    Expected refused{.kind = rate_limited, .status = 429, .at = 50ms};
    refused.retry_after = dialect == dialects[0] ? 1500ms : 2s;
    add(cases,
        {.name = fmt::format("AHintInMilliseconds_{}", dialect),
         .provider = dialect,
         .faults = {R"("error": "rate_limited", "retry_after": "1500ms")"}},
        refused);
  }
  // Headers are gone by then.
  const std::vector<std::string> third{
      R"("error": "rate_limited", "retry_after": "7s", "at": {"frames": 3})"};
  add_both(cases, {.name = "AHintThatComesTooLateForAStream", .faults = third, .stream = true},
           broken(rate_limited, 3, 130ms));
  Expected late = unheard(rate_limited, 130ms, 3);
  late.status = 429;
  late.retry_after = 7s;
  add_both(cases, {.name = "AHintInPlaceOfAReply", .faults = third}, late);
  // One request a minute.
  add(cases, {.name = "ARequestThatTheBucketHas", .limits = R"("rpm": 1)"}, [] {
    Expected first = reply(false);
    first.limits.requests = {.limit = 1, .remaining = 0, .reset_ns = 60'000'000'000};
    return first;
  }());
  // A second later a sixtieth of it is back; waits are told as if all of it were used.
  Expected refused{.kind = rate_limited, .status = 429, .at = 50ms, .retry_after = 60s};
  refused.limits.requests = {.limit = 1, .remaining = 0, .reset_ns = 59'000'000'000};
  add(cases, {.name = "ARequestThatTheBucketHasNot", .after_previous = 1s}, refused);
  Expected large{.kind = request_too_large, .status = 429, .at = 50ms};
  large.limits.tokens = {.limit = 50, .remaining = 50, .reset_ns = 0};
  add(cases, {.name = "ARequestThatNoBucketHolds", .limits = R"("tpm": 50)"}, large);
}

// One place at the model: who comes second waits, is refused, or leaves the line. It comes a second
// later, and the first is still there after another: over HTTP their order must be certain.
void add_places(Cases& cases) {
  using enum Detached::When;
  const std::string one = R"("concurrent": 1)";
  const std::vector<std::string> stall{R"("wire": "stall", "first": 1)"};
  add(cases, {.name = "APlaceThatIsGivenUp", .limits = one, .faults = stall, .detached = {at, 2s}},
      unheard(cancelled, 2s, said_tokens));
  Expected second = reply(true);
  second.at += 1s;
  second.first_output += 1s;
  add(cases, {.name = "TheNextInLine", .stream = true, .after_previous = 1s}, second);
  add(cases,
      {.name = "TheOnlyPlace",
       .limits = one + R"(, "when_full": "refuse")",
       .faults = stall,
       .end = long_after},
      unheard(timed_out, long_after, said_tokens));
  add(cases, {.name = "NoPlaceLeft", .after_previous = 1s},
      {.kind = overloaded, .status = 503, .at = 50ms});
  add(cases, {.name = "APlaceThatIsKept", .limits = one, .faults = stall, .end = long_after},
      unheard(timed_out, long_after, said_tokens));
  add(cases, {.name = "ALineThatIsLeft", .detached = {at, 1s}, .after_previous = 1s},
      unheard(cancelled, 1s));
  add(cases, {.name = "ALineThatIsTooLong", .end = 2s, .after_previous = 100ms},
      unheard(timed_out, 2s));
}

void add_limits(Cases& cases) {
  const std::vector<std::string> hang{R"("hang": true)"};
  add_both(cases, {.name = "AnEndForWhoHangs", .faults = hang, .end = long_after},
           unheard(timed_out, long_after));
  add_both(cases,
           {.name = "AFirstTokenThatDoesNotCome",
            .faults = hang,
            .stream = true,
            .first_token = long_after,
            .idle = 1s},
           unheard(timed_out, long_after));
  add_both(cases,
           {.name = "AnEndBeforeTheFirstToken",
            .faults = hang,
            .stream = true,
            .end = long_after,
            .first_token = 9s},
           unheard(timed_out, long_after));
  Expected stalled = with_status(broken(timed_out, 3, 120ms + long_after), 0);
  const std::vector<std::string> third{R"("wire": "stall", "at": {"frames": 3})"};
  add_both(cases,
           {.name = "SilenceAfterOutput",
            .faults = third,
            .stream = true,
            .first_token = 4s,
            .idle = long_after},
           stalled);
  add_both(cases,
           {.name = "SilenceAfterOutputThatIsHeld",
            .faults = third,
            .stream = true,
            .idle = long_after,
            .hold = true},
           stalled);
  stalled.at = long_after;
  add_both(cases,
           {.name = "AnEndInSilence",
            .faults = third,
            .stream = true,
            .end = long_after,
            .first_token = 4s},
           stalled);
  add_both(cases,
           {.name = "AnEndForAReplyThatStalls",
            .faults = {R"("wire": "stall")"},
            .end = long_after,
            .first_token = 1ms,
            .idle = 1ms},
           unheard(timed_out, long_after, said_tokens));
  add(cases,
      {.name = "NoWayThere",
       .provider = lost_provider,
       .faults = {R"("unreachable": true)"},
       .end = 9s,
       .connect = long_after},
      unheard(timed_out, long_after));
  add(cases,
      {.name = "NoWayThereAndNoTimeToFindOut",
       .provider = lost_provider,
       .faults = {R"("unreachable": true)"},
       .end = 2s,
       .connect = 9s},
      unheard(timed_out, 2s));
  add(cases, {.name = "NoTimeAtAll", .faults = hang, .end = 0s}, unheard(timed_out, 0s));
}

void add_lost_connections(Cases& cases) {
  add(cases, {.name = "NobodyThere", .provider = gone_provider, .faults = {R"("outage": true)"}},
      unheard(connection, 0s));
  add_both(cases, {.name = "AnOutage", .faults = {R"("outage": true)"}, .stream = true},
           unheard(connection, 0s));
  add_both(cases, {.name = "AResetBeforeTheHeaders", .faults = {R"("wire": "reset")"}},
           unheard(connection, 200ms, said_tokens));
  add_both(
      cases,
      {.name = "AResetWhereAStreamWouldBegin", .faults = {R"("wire": "reset")"}, .stream = true},
      unheard(connection, 100ms, 0));
  add_both(
      cases,
      {.name = "ACloseAfterTheHeaders", .faults = {R"("wire": "close", "at": "after_headers")"}},
      unheard(connection, 200ms, said_tokens));
  add_both(cases, {.name = "ABodyThatIsTooShort", .faults = {R"("wire": "short_body")"}},
           unheard(connection, 200ms, said_tokens));
  add_both(cases,
           {.name = "AStreamThatIsReset",
            .faults = {R"("wire": "reset", "at": {"frames": 3})"},
            .stream = true},
           broken(stream_truncated, 3, 130ms));
  add_both(cases,
           {.name = "AStreamThatIsClosedInsideACharacter",
            .faults = {R"("wire": "close", "at": {"bytes": 13})"},
            .stream = true},
           broken(stream_truncated, 1, 110ms));
  add_both(cases,
           {.name = "AStreamThatDoesNotSayWhyItEnds",
            .faults = {R"("wire": "missing_finish")"},
            .stream = true},
           broken(stream_truncated, said_tokens, 200ms));
  add(cases,
      {.name = "AChatWithoutItsLastFrame", .faults = {R"("wire": "missing_done")"}, .stream = true},
      reply(true));
  add(cases,
      {.name = "AMessageWithoutItsLastFrame",
       .provider = "anthropic",
       .faults = {R"("wire": "missing_done")"},
       .stream = true},
      broken(stream_truncated, said_tokens, 200ms));
}

void add_detachments(Cases& cases) {
  using enum Detached::When;
  const std::vector<std::string> third{R"("wire": "stall", "at": {"frames": 3})"};
  add_both(cases, {.name = "GivenUpAtOnce", .detached = {at, 0s}}, unheard(cancelled, 0s));
  // The model works on it from the beginning.
  add_both(cases,
           {.name = "GivenUpBeforeAByte",
            .faults = {R"("wire": "stall")"},
            .stream = true,
            .detached = {at, 1s}},
           unheard(cancelled, 1s, 0));
  add_both(cases,
           {.name = "GivenUpWhereItHangs", .faults = {R"("hang": true)"}, .detached = {at, 1s}},
           unheard(cancelled, 1s));
  add_both(
      cases,
      {.name = "GivenUpAfterOutput", .faults = third, .stream = true, .detached = {at, long_after}},
      with_status(broken(cancelled, 3, long_after), 0));
  add_both(cases,
           {.name = "GivenUpAfterOutputThatWasHeld",
            .faults = third,
            .stream = true,
            .hold = true,
            .detached = {at, long_after}},
           with_status(broken(cancelled, 3, long_after), 0));
  add_both(
      cases,
      {.name = "GivenUpFromInsideItsFirstOutput", .stream = true, .detached = {on_first_output}},
      with_status(broken(cancelled, 1, 100ms), 0));
  add(cases,
      {.name = "GivenUpOnTheWayToNowhere",
       .provider = lost_provider,
       .faults = {R"("unreachable": true)"},
       .detached = {at, 1s}},
      unheard(cancelled, 1s));
}

}  // namespace

const std::vector<Case>& cases() {
  static const Cases all = [] {
    Cases list;
    add_replies(list);
    add_errors(list);
    add_hints(list);
    add_places(list);
    add_limits(list);
    add_lost_connections(list);
    add_detachments(list);
    return list;
  }();
  return all;
}

}  // namespace brownout::testing
