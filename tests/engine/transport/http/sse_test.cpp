#include "engine/transport/http/sse.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace brownout::http {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

using Events = std::vector<std::pair<std::string, std::string>>;

void take(SseParser& parser, std::string_view bytes, Events& events) {
  parser.feed(bytes);
  for (SseEvent event; parser.next(event);) {
    events.emplace_back(std::string(event.name), std::string(event.data));
  }
}

Events parse(std::string_view bytes, std::size_t most = 1000) {
  SseParser parser(most);
  Events events;
  take(parser, bytes, events);
  return events;
}

TEST(Sse, AnEventEndsWithItsEmptyLine) {
  EXPECT_THAT(parse("data: a\n\ndata: b\n"), ElementsAre(Pair("", "a")));
}

TEST(Sse, LinesEndInAnyOfThreeWays) {
  for (const std::string_view end : {"\n", "\r", "\r\n"}) {
    std::string bytes;
    for (const std::string_view line : {"event: ping", "data: a", "data: b", "", "data: c", ""}) {
      bytes += std::string(line) + std::string(end);
    }
    EXPECT_THAT(parse(bytes), ElementsAre(Pair("ping", "a\nb"), Pair("", "c")));
  }
}

TEST(Sse, OneSpaceAfterTheColonIsNotData) {
  EXPECT_THAT(parse("data:a\n\ndata:  b\n\ndata\n\n"),
              ElementsAre(Pair("", "a"), Pair("", " b"), Pair("", "")));
}

TEST(Sse, CommentsAndUnknownFieldsAreIgnored) {
  EXPECT_THAT(parse(": hello\n\n:\nid: 7\nretry: 10\nfoo: bar\ndata: a\n\n"),
              ElementsAre(Pair("", "a")));
}

TEST(Sse, AnEventWithoutDataIsNone) {
  EXPECT_THAT(parse("event: ping\n\ndata: a\n\n"), ElementsAre(Pair("", "a")));
}

TEST(Sse, AByteOrderMarkIsIgnoredOnceAndAtTheStartOnly) {
  EXPECT_THAT(parse("\xEF\xBB\xBF"
                    "data: a\n\n\xEF\xBB\xBF"
                    "data: b\n\n"),
              ElementsAre(Pair("", "a")));
}

TEST(Sse, ALineThatIsTooLongEndsEverything) {
  for (const std::string_view rest : {"\n\ndata: b\n\n", ""}) {
    SseParser parser(20);
    Events events;
    take(parser, "data: a\n\ndata: " + std::string(15, 'x') + std::string(rest), events);
    EXPECT_THAT(events, ElementsAre(Pair("", "a")));
    EXPECT_TRUE(parser.overflowed());
  }
}

TEST(Sse, ManyShortLinesMakeAnEventThatIsTooLong) {
  SseParser parser(20);
  Events events;
  for (int i = 0; i < 10; ++i) take(parser, "data: abc\n", events);
  take(parser, "\n", events);
  EXPECT_THAT(events, IsEmpty());
  EXPECT_TRUE(parser.overflowed());
}

// With every kind of line end, a mark at the start, names, comments, characters of one to four
// bytes and an event that does not end.
constexpr std::string_view everything =
    "\xEF\xBB\xBF"
    ": comment\r\n\r\nevent: a\rdata: gr\xC3\xBC\xC3\x9F dich\r\r\n"
    "data: \xE2\x82\xAC\ndata: \xF0\x9F\x8C\xB3\n\nevent: c\r\ndata:\r\n\r\ndata: lost";

TEST(Sse, IsTheSameWhereverTheBytesAreCut) {
  const Events whole = parse(everything);
  EXPECT_THAT(whole, ElementsAre(Pair("a", "gr\xC3\xBC\xC3\x9F dich"),
                                 Pair("", "\xE2\x82\xAC\n\xF0\x9F\x8C\xB3"), Pair("c", "")));
  for (std::size_t first = 0; first <= everything.size(); ++first) {
    for (std::size_t second = first; second <= everything.size(); ++second) {
      SseParser parser(1000);
      Events events;
      take(parser, everything.substr(0, first), events);
      take(parser, everything.substr(first, second - first), events);
      take(parser, everything.substr(second), events);
      ASSERT_EQ(events, whole) << "cut at " << first << " and " << second;
    }
  }
}

RC_GTEST_PROP(Sse, AnyBytesCutAnywhereGiveTheSameEventsAsInOnePiece, ()) {
  const auto letters = rc::gen::container<std::string>(
      rc::gen::elementOf(std::string("\r\n\n\r: adteven\xEF\xBB\xBF\xC3")));
  const std::string bytes = *letters;
  const Events whole = parse(bytes, 12);
  SseParser parser(12);
  Events events;
  std::string_view rest = bytes;
  while (!rest.empty()) {
    const auto piece = *rc::gen::inRange<std::size_t>(1, rest.size() + 1);
    take(parser, rest.substr(0, piece), events);
    rest.remove_prefix(piece);
  }
  RC_ASSERT(events == whole);
}

}  // namespace
}  // namespace brownout::http
