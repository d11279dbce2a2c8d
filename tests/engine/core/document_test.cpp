#include "engine/core/document.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <limits>

namespace brownout {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

std::unique_ptr<Document> parsed(std::string text) {
  Result<std::unique_ptr<Document>> document = Document::parse("file.json", std::move(text));
  if (!document) {
    ADD_FAILURE() << document.error().front().to_string();
    return parsed("null");
  }
  return std::move(*document);
}

Errors errors_of(std::string text) {
  const Result<std::unique_ptr<Document>> document = Document::parse("file.json", std::move(text));
  return document ? Errors{} : document.error();
}

std::string messages(const Errors& errors) {
  std::string text;
  for (const Error& error : errors) text += error.to_string();
  return text;
}

std::string slice(const Document& document, Span span) {
  return document.text().substr(span.begin, span.end - span.begin);
}

/// One error whose excerpt marks `marked` in line `line`, with `note` beside it.
struct Refusal {
  std::string text;
  std::string message;
  std::string marks;  ///< the line of carets, after "| "
};

void expect_refused(const std::vector<Refusal>& refusals) {
  for (const Refusal& refusal : refusals) {
    const Errors errors = errors_of(refusal.text);
    ASSERT_EQ(errors.size(), 1U) << refusal.text;
    EXPECT_EQ(errors[0].kind, ErrorKind::invalid);
    EXPECT_EQ(errors[0].message, refusal.message) << refusal.text;
    EXPECT_THAT(errors[0].excerpt, testing::EndsWith("  | " + refusal.marks + "\n"))
        << refusal.text;
  }
}

// ---- parsing

TEST(Document, ReadsEveryTypeOfValue) {
  const auto document =
      parsed(R"({"a": null, "b": true, "c": -1.50e2, "d": "x", "e": [1, false]})");
  const Node& root = document->root();
  ASSERT_EQ(root.type, Node::Type::object);
  EXPECT_EQ(root.find("a")->type, Node::Type::null);
  EXPECT_EQ(root.find("b")->type, Node::Type::boolean);
  EXPECT_TRUE(root.find("b")->boolean);
  EXPECT_EQ(root.find("c")->number, -150);
  EXPECT_EQ(root.find("c")->text, "-1.50e2");
  EXPECT_EQ(root.find("d")->text, "x");
  ASSERT_EQ(root.find("e")->items.size(), 2U);
  EXPECT_EQ(root.find("e")->items[1].type, Node::Type::boolean);
  EXPECT_FALSE(root.find("e")->items[1].boolean);
  EXPECT_EQ(root.find("f"), nullptr);
}

TEST(Document, KeepsMembersInFileOrder) {
  const auto document = parsed(R"({"z": 1, "a": 2, "m": 3})");
  std::vector<std::string> keys;
  for (const Node::Member& member : document->root().members) keys.push_back(member.key);
  EXPECT_THAT(keys, ElementsAre("z", "a", "m"));
}

TEST(Document, SpansAreExact) {
  const auto document = parsed("{ \"key\" :\n [ 12 , \"a\\u0062\" ,{} ] }");
  const Node::Member& member = document->root().members[0];
  EXPECT_EQ(slice(*document, member.key_span), "\"key\"");
  EXPECT_EQ(slice(*document, member.value.span), "[ 12 , \"a\\u0062\" ,{} ]");
  EXPECT_EQ(slice(*document, member.value.items[0].span), "12");
  EXPECT_EQ(slice(*document, member.value.items[1].span), "\"a\\u0062\"");
  EXPECT_EQ(slice(*document, member.value.items[2].span), "{}");
  EXPECT_EQ(member.value.items[2].document, document.get());
}

TEST(Document, DecodesEscapes) {
  EXPECT_EQ(parsed(R"("\"\\\/\b\f\n\r\t")")->root().text, "\"\\/\b\f\n\r\t");
  EXPECT_EQ(parsed(R"("\u0041\u00e9\u20AC\ud83d\ude00")")->root().text, "A\u00E9\u20AC\U0001F600");
  EXPECT_EQ(parsed(R"("a\u0000b")")->root().text, std::string("a\0b", 3));
}

TEST(Document, ReadsNumbersToTheNearestDouble) {
  EXPECT_EQ(parsed("0.1")->root().number, 0.1);
  EXPECT_EQ(parsed("9007199254740993")->root().number, 9007199254740992.0);
  EXPECT_EQ(parsed("9007199254740993")->root().text, "9007199254740993");
  EXPECT_EQ(parsed("1.7976931348623157e308")->root().number, std::numeric_limits<double>::max());
  EXPECT_EQ(parsed("-0")->root().number, 0);
}

TEST(Document, RefusesNumbersThatAreNotJson) {
  expect_refused(
      {{"[01]", "a number has no leading zeros", " ^^"},
       {"[-012]", "a number has no leading zeros", " ^^^^"},
       {"[1.]", "expected a digit after the decimal point", " ^^"},
       {"[-]", "expected a digit after the minus sign", " ^"},
       {"[-Infinity]", "expected a digit after the minus sign", " ^"},
       {"[1e+]", "expected a digit in the exponent", " ^^^"},
       {"[1e999]", "the number is outside the range of a 64-bit float", " ^^^^^"},
       {"[NaN]", "NaN is not a JSON value", " ^^^ JSON numbers are finite"},
       {"[+1]", "unexpected +", " ^ expected a number to begin with a digit or minus sign"},
       {"[.5]", "unexpected .", " ^ expected a number to begin with a digit or minus sign"}});
}

TEST(Document, SuggestsQuotesAroundAValueWithAUnit) {
  expect_refused({{"[250ms]", "250ms is not a number", " ^^^^^ did you mean \"250ms\"?"},
                  {"[20/s]", "20/s is not a number", " ^^^^ did you mean \"20/s\"?"},
                  {"[99%]", "99% is not a number", " ^^^ did you mean \"99%\"?"},
                  {"[1.5.2]", "1.5.2 is not a number", " ^^^^^ did you mean \"1.5.2\"?"}});
}

TEST(Document, PointsAtAMissingOrSuperfluousComma) {
  expect_refused({{"[1 2]", "expected a comma or ] after this value", " ^"},
                  {"{\"a\": 1 \"b\": 2}", "expected a comma or } after this value", "      ^"},
                  {"[1,]", "trailing comma", "  ^ nothing follows it but ]"},
                  {"{\"a\": 1 , }", "trailing comma", "        ^ nothing follows it but }"},
                  {"[,1]", "unexpected ,", " ^ expected a value"},
                  {"[1,,2]", "unexpected ,", "   ^ expected a value"}});
}

TEST(Document, MarksTheEndOfALongValueThatLacksItsComma) {
  EXPECT_EQ(messages(errors_of("{\n  \"a\": {\n    \"b\": 1\n  }\n  \"c\": 2\n}")),
            "error: expected a comma or } after this value\n"
            " --> file.json:4:3\n"
            "  |\n"
            "4 |   }\n"
            "  |   ^\n");
}

TEST(Document, PointsAtBadKeysAndColons) {
  expect_refused(
      {{"{a: 1}", "keys are written in double quotes", " ^ did you mean \"a\"?"},
       {"{'a': 1}", "strings and keys are written in double quotes (\")", " ^"},
       {"{\u201Ca\u201D: 1}", "strings and keys are written in double quotes (\")", " ^"},
       {"{[]: 1}", "unexpected [", " ^ expected a key in double quotes"},
       {"{\"a\" 1}", "expected a colon after this key", " ^^^"},
       {"{\"a\": }", "unexpected }", "      ^ expected a value"}});
}

TEST(Document, PointsAtUnknownWords) {
  expect_refused({{"[True]", "unknown word True", " ^^^^ did you mean true?"},
                  {"[nul]", "unknown word nul", " ^^^ did you mean null?"},
                  {"[collapse]", "collapse is not a JSON value",
                   " ^^^^^^^^ strings are written in double quotes"}});
}

TEST(Document, RefusesComments) {
  expect_refused({{"[1, // one", "JSON has no comments", "    ^^^^^^"},
                  {"/* all */ []", "JSON has no comments", "^^^^^^^^^^^^"},
                  {"[1] # done", "JSON has no comments", "    ^^^^^^"},
                  {"[1//one\n]", "JSON has no comments", "  ^^^^^"}});
}

TEST(Document, RefusesBrokenStrings) {
  expect_refused(
      {{"[\"abc", "unterminated string", " ^^^^ expected a closing \""},
       {"[\"abc\\", "unterminated string", " ^^^^^ expected a closing \""},
       {"[\"a\tb\"]", "a control character in a string must be escaped", "   ^ write \\t"},
       {"[\"a\x01\"]", "a control character in a string must be escaped", "   ^ write \\u0001"},
       {"[\"\\q\"]", "unknown escape in a string", "  ^^ a backslash itself is written \\\\"},
       {"[\"\\u12g4\"]", "expected four hexadecimal digits after \\u", "  ^^"},
       {"[\"\\u+123\"]", "expected four hexadecimal digits after \\u", "  ^^"},
       {"[\"\\ud83d\"]", "half of a surrogate pair is not a character", "  ^^^^^^"},
       {"[\"\\ud83d\\u0041\"]", "half of a surrogate pair is not a character", "  ^^^^^^"},
       {"[\"\\ude00\"]", "half of a surrogate pair is not a character", "  ^^^^^^"}});
}

TEST(Document, MarksAnUnterminatedStringUpToTheEndOfItsLine) {
  EXPECT_THAT(messages(errors_of("[\"abc,\r\n 1]")), HasSubstr("1 | [\"abc,\n  |  ^^^^^ expected"));
}

TEST(Document, SaysWhatIsOpenWhenTheFileEnds) {
  expect_refused(
      {{"", "the document is empty", "^ expected a JSON value"},
       {" \n", "the document is empty", "^ expected a JSON value"},
       {"{", "the file ends inside the object that begins in line 1", " ^ expected }"},
       {"{\"a\"", "the file ends inside the object that begins in line 1", "    ^ expected }"},
       {"\n[\n[1,2", "the file ends inside the array that begins in line 3", "    ^ expected ]"},
       {"[1,\n\n", "the file ends inside the array that begins in line 1", "   ^ expected ]"}});
}

TEST(Document, RefusesTheWrongBracketAndTextAfterTheEnd) {
  expect_refused({{"[1}", "unexpected }", "  ^ expected ] for the [ of line 1"},
                  {"{\"a\": 1]", "unexpected ]", "       ^ expected } for the { of line 1"},
                  {"[1]]", "the document goes on after its end",
                   "   ^ its one value begins in line 1 and ends before this"}});
}

TEST(Document, ReportsEveryDuplicateKeyWithTheLineOfTheFirst) {
  const Errors errors =
      errors_of("{\n\"until\": 1,\n\"b\": {\"x\": 1, \"\\u0078\": 2},\n\"until\": 3\n}");
  ASSERT_EQ(errors.size(), 2U);
  EXPECT_EQ(errors[0].message, "duplicate key \"x\"");
  EXPECT_EQ(errors[1].to_string(),
            "error: duplicate key \"until\"\n"
            " --> file.json:4:1\n"
            "  |\n"
            "4 | \"until\": 3\n"
            "  | ^^^^^^^ first used in line 2\n");
}

TEST(Document, FindsDuplicatesAmongManyKeys) {
  std::string text = "{";
  for (int i = 0; i < 100; ++i) text += fmt::format("\"{}\": 0,\n", i % 40);
  const Errors errors = errors_of(text + "\"last\": 0}");
  EXPECT_EQ(errors.size(), 60U);
  for (const Error& error : errors) {
    int key = 0;
    ASSERT_EQ(std::sscanf(error.message.c_str(), "duplicate key \"%d\"", &key), 1);
    EXPECT_THAT(error.excerpt, testing::EndsWith(fmt::format(" first used in line {}\n", key + 1)));
  }
}

TEST(Document, AllowsOneKeyInTwoObjects) {
  EXPECT_TRUE(errors_of(R"([{"a": 1}, {"a": {"a": 2}}])").empty());
}

TEST(Document, NestsToSixtyFourLevelsAndNoDeeper) {
  const auto nested = [](std::size_t levels) {
    return std::string(levels, '[') + std::string(levels, ']');
  };
  EXPECT_TRUE(errors_of(nested(64)).empty());
  EXPECT_THAT(messages(errors_of(nested(65))), StartsWith("error: nested deeper than 64 levels"));
  EXPECT_EQ(errors_of(std::string(1'000'000, '[')).size(), 1U);
}

TEST(Document, RefusesTextThatIsNotUtf8) {
  for (const char* bytes : {"\x80", "\xC0\x80", "\xC3", "\xE0\x80\x80", "\xED\xA0\x80", "\xE2\x82",
                            "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"}) {
    const Errors errors = errors_of("[\"" + std::string(bytes) + "\"]");
    ASSERT_EQ(errors.size(), 1U);
    EXPECT_EQ(errors[0].message, "the file is not UTF-8");
    EXPECT_THAT(errors[0].excerpt, HasSubstr(":1:3\n"));
    EXPECT_THAT(errors[0].excerpt, HasSubstr("\uFFFD"));
    EXPECT_THAT(errors[0].excerpt,
                HasSubstr(fmt::format("byte 0x{:02X}", static_cast<unsigned char>(bytes[0]))));
  }
}

TEST(Document, AcceptsTheFirstAndLastCharacterOfEveryLength) {
  const std::string text = "\u0080\u07FF\u0800\uD7FF\uE000\uFFFF\U00010000\U0010FFFF";
  EXPECT_EQ(parsed("\"" + text + "\"")->root().text, text);
}

TEST(Document, RefusesAByteOrderMark) {
  EXPECT_THAT(messages(errors_of("\xEF\xBB\xBF[]")),
              StartsWith("error: the file begins with a byte order mark"));
}

// ---- files

class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& text) {
    static int count = 0;
    path_ = fmt::format("{}document_test_{}_{}.json", testing::TempDir(), ::getpid(), ++count);
    std::ofstream(path_, std::ios::binary) << text;
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(Document, OfAFileThatMayHoldKeysOnlyTheMarkedValueIsShown) {
  const std::string text = R"({"kind" : "connections", "url": "https://x", "a\"b": [1, "two"],
"n": 12.5, "word": true, "cut": "off)";
  const auto document = parsed(R"({"kind" : "connections", "url": "https://x", "a\"b": [1, "two"],
"n": 12.5, "word": true})");
  const auto line = [&](std::string_view marked) {
    const auto at = static_cast<std::uint32_t>(document->text().find(marked));
    const std::string excerpt =
        document->excerpt({at, at + static_cast<std::uint32_t>(marked.size())}, "");
    const std::size_t begin = excerpt.find("| ") + 2;
    return excerpt.substr(begin, excerpt.find('\n', begin) - begin);
  };
  EXPECT_EQ(line("\"https://x\""),
            R"({"kind" : "***********", "url": "https://x", "a\"b": [*, "***"],)");
  EXPECT_EQ(line("\"url\""), R"({"kind" : "***********", "url": "*********", "a\"b": [*, "***"],)");
  EXPECT_EQ(line("12.5"), R"("n": 12.5, "word": ****})");
  EXPECT_EQ(line("\"n\": 12.5, \"word\": true"), R"("n": ****, "word": ****})")
      << "more than one value";
  const Errors errors = errors_of(text);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_THAT(errors.front().excerpt, HasSubstr(R"("n": ****, "word": ****, "cut": "***)"));
}

TEST(Document, LoadsAFileAndNamesItInMessages) {
  const TemporaryFile good("{\"a\": 1}\n");
  const auto document = Document::load(good.path());
  ASSERT_TRUE(document.has_value());
  EXPECT_EQ((*document)->name(), good.path());
  EXPECT_EQ((*document)->text(), "{\"a\": 1}\n");
  EXPECT_EQ((*document)->root().find("a")->number, 1);
}

TEST(Document, RefusesAFileOverSixteenMebibytes) {
  constexpr std::size_t limit = std::size_t{16} << 20;
  const TemporaryFile largest("1" + std::string(limit - 1, ' '));
  EXPECT_TRUE(Document::load(largest.path()).has_value());
  const TemporaryFile larger("1" + std::string(limit, ' '));
  const auto document = Document::load(larger.path());
  ASSERT_FALSE(document.has_value());
  EXPECT_EQ(document.error()[0].kind, ErrorKind::invalid);
  EXPECT_EQ(document.error()[0].message, larger.path() + " is larger than 16 MiB");
}

TEST(Document, AFileThatCannotBeReadIsAMatterOfTheEnvironment) {
  const auto missing = Document::load("/nonexistent/scenario.json");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error()[0].kind, ErrorKind::environment);
  EXPECT_EQ(missing.error()[0].message,
            "cannot read /nonexistent/scenario.json: No such file or directory");
  const auto directory = Document::load(testing::TempDir());
  ASSERT_FALSE(directory.has_value());
  EXPECT_EQ(directory.error()[0].kind, ErrorKind::environment);
  EXPECT_THAT(directory.error()[0].message, HasSubstr("Is a directory"));
}

// ---- pointing

TEST(Position, CountsLinesAndCharacters) {
  const auto document = parsed("[\n  \"\u00E9\u20AC\", 1\r\n]\n");
  const auto at = [&](std::string_view text) {
    const auto position =
        document->position(static_cast<std::uint32_t>(document->text().find(text)));
    return fmt::format("{}:{}", position.line, position.column);
  };
  EXPECT_EQ(at("["), "1:1");
  EXPECT_EQ(at("\n"), "1:2");
  EXPECT_EQ(at("\""), "2:3");
  EXPECT_EQ(at("1"), "2:9");
  EXPECT_EQ(at("]"), "3:1");
  const auto end = document->position(static_cast<std::uint32_t>(document->text().size()));
  EXPECT_EQ(fmt::format("{}:{}", end.line, end.column), "4:1");
}

TEST(Excerpt, LooksLikeThis) {
  const auto document =
      parsed(std::string("[") + std::string(11, '\n') + "        {\"ttfs\": \"640ms\"}]");
  EXPECT_EQ(
      document->excerpt(document->root().items[0].members[0].key_span, "did you mean \"ttft\"?"),
      "  --> file.json:12:10\n"
      "   |\n"
      "12 |         {\"ttfs\": \"640ms\"}]\n"
      "   |          ^^^^^^ did you mean \"ttft\"?\n");
}

TEST(Excerpt, MarksTheFirstOfSeveralLines) {
  const auto document = parsed("{ \"a\": [ 1,\n 2 ] }");
  EXPECT_EQ(document->excerpt(document->root().members[0].value.span, ""),
            " --> file.json:1:8\n"
            "  |\n"
            "1 | { \"a\": [ 1,\n"
            "  |        ^^^^\n");
}

TEST(Excerpt, KeepsTabsBeforeTheCaretAndCountsCharactersNotBytes) {
  const auto document = parsed("\t[\"\u00E9\u00E9\",\t1]");
  EXPECT_EQ(document->excerpt(document->root().items[0].span, "two letters"),
            " --> file.json:1:3\n"
            "  |\n"
            "1 | \t[\"\u00E9\u00E9\",\t1]\n"
            "  | \t ^^^^ two letters\n");
  EXPECT_THAT(document->excerpt(document->root().items[1].span, ""),
              HasSubstr("  | \t      \t^\n"));
}

TEST(Excerpt, CutsLongLinesAroundTheCaret) {
  std::string text = "[";
  for (int i = 100; i < 200; ++i) text += fmt::format("{},", i);
  text += "200]";
  const auto document = parsed(text);
  const std::string ellipsis = "\u2026";
  const auto lines_at = [&](std::size_t index) {
    const std::string excerpt = document->excerpt(document->root().items[index].span, "here");
    const std::size_t source = excerpt.find("1 | ") + 4;
    const std::size_t end = excerpt.find('\n', source);
    return std::pair(excerpt.substr(source, end - source), excerpt.substr(end + 1));
  };
  EXPECT_EQ(lines_at(0), std::pair(text.substr(0, 99) + ellipsis, std::string("  |  ^^^ here\n")));
  // The 50th number begins 201 characters into the line, of which the last 40 are shown.
  EXPECT_EQ(lines_at(50), std::pair(ellipsis + text.substr(162, 98) + ellipsis,
                                    "  | " + std::string(40, ' ') + "^^^ here\n"));
  EXPECT_EQ(lines_at(100), std::pair(ellipsis + text.substr(text.size() - 99),
                                     "  | " + std::string(96, ' ') + "^^^ here\n"));
}

TEST(Excerpt, MarksNoMoreThanItShows) {
  const auto document = parsed("[\"" + std::string(300, 'x') + "\"]");
  EXPECT_THAT(document->excerpt(document->root().items[0].span, ""),
              testing::EndsWith("  |  " + std::string(99, '^') + "\n"));
}

TEST(Excerpt, ShowsNothingATerminalMightObey) {
  const Errors errors = errors_of("[\"a\x1B[31m\"]");
  EXPECT_THAT(errors[0].excerpt, HasSubstr("1 | [\"a\uFFFD[31m\"]\n  |    ^ write \\u001b"));
  EXPECT_THAT(messages(errors_of("{\"\\u001b\": 1, \"\\u001b\": 2}")),
              StartsWith("error: duplicate key \"\uFFFD\"\n"));
}

// ---- suggestions

TEST(Nearest, FindsPlausibleSlips) {
  const std::vector<std::string_view> keys{"ttft", "inter_token", "limits", "until", "on"};
  EXPECT_EQ(nearest("ttfs", keys), "ttft");     // changed
  EXPECT_EQ(nearest("untli", keys), "until");   // swapped
  EXPECT_EQ(nearest("limit", keys), "limits");  // dropped
  EXPECT_EQ(nearest("interToken", keys), "inter_token");
  EXPECT_EQ(nearest("UNTIL", keys), "until");
  EXPECT_EQ(nearest("one", keys), "on");
}

TEST(Nearest, FindsNothingWhenMoreThanAThirdDiffers) {
  EXPECT_EQ(nearest("tfts", {"ttft"}), std::nullopt);
  EXPECT_EQ(nearest("in", {"on"}), std::nullopt);
  EXPECT_EQ(nearest("deadline", {"duration", "seed"}), std::nullopt);
  EXPECT_EQ(nearest("a", {}), std::nullopt);
}

TEST(Nearest, PrefersTheCloserAndThenTheFirst) {
  EXPECT_EQ(nearest("mixtura", {"mixtures", "mixture"}), "mixture");
  EXPECT_EQ(nearest("cat", {"bat", "hat"}), "bat");
}

TEST(ExpectedOneOf, NamesTheNearestOrAll) {
  EXPECT_EQ(expected_one_of("ttfs", {"ttft", "limits"}), "did you mean \"ttft\"?");
  EXPECT_EQ(expected_one_of("x", {"ttft", "limits"}), "expected one of: ttft, limits");
  EXPECT_EQ(expected_one_of("x", {}), "");
}

// ---- reading

TEST(ObjectReader, ReportsEverythingThatIsWrongAtOnce) {
  const auto document = parsed("{\n  \"nmae\": \"x\",\n  \"seed\": \"1\",\n  \"zebra\": 1\n}");
  Problems problems;
  std::string name;
  std::int64_t seed = 0;
  ObjectReader object(document->root(), problems);
  EXPECT_FALSE(
      object.required("name", [&](const Node& node) { read_string(node, problems, name); }));
  EXPECT_TRUE(
      object.optional("seed", [&](const Node& node) { read_integer(node, problems, seed, 0, 9); }));
  EXPECT_FALSE(object.optional("version", [&](const Node&) { FAIL() << "there is no version"; }));
  object.finish();
  EXPECT_EQ(messages(problems.take()),
            "error: expected a whole number but found the string \"1\"\n"
            " --> file.json:3:11\n"
            "  |\n"
            "3 |   \"seed\": \"1\",\n"
            "  |           ^^^\n"
            "error: unknown key \"nmae\"\n"
            " --> file.json:2:3\n"
            "  |\n"
            "2 |   \"nmae\": \"x\",\n"
            "  |   ^^^^^^ did you mean \"name\"?\n"
            "error: unknown key \"zebra\"\n"
            " --> file.json:4:3\n"
            "  |\n"
            "4 |   \"zebra\": 1\n"
            "  |   ^^^^^^^ expected one of: name, version\n");
}

TEST(ObjectReader, SuggestsNoKeyThatIsThereAlready) {
  const auto document = parsed(R"({"ttft": 1, "ttfs": 2})");
  Problems problems;
  ObjectReader object(document->root(), problems);
  object.required("ttft");
  object.finish();
  const Errors errors = problems.take();
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].message, "unknown key \"ttfs\"");
  EXPECT_THAT(errors[0].excerpt, testing::EndsWith("^^^^^^\n"));
}

TEST(ObjectReader, WhatIsNoObjectIsOneProblemAndHasNoMembers) {
  const auto document = parsed("[1]");
  Problems problems;
  ObjectReader object(document->root(), problems);
  EXPECT_EQ(object.required("name"), nullptr);
  object.finish();
  const Errors errors = problems.take();
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].message, "expected an object but found an array");
}

/// What a converter says about `text`, as message and note; empty when it accepts it.
template <class Read>
std::string complaint(const std::string& text, Read read) {
  const auto document = parsed(text);
  Problems problems;
  const bool accepted = read(document->root(), problems);
  EXPECT_EQ(accepted, problems.empty());
  if (accepted) return "";
  const Error error = problems.take().front();
  const std::size_t note = error.excerpt.rfind("^ ");
  return error.message +
         (note == std::string::npos
              ? ""
              : "; " + error.excerpt.substr(note + 2, error.excerpt.size() - note - 3));
}

TEST(ReadString, TakesStringsOnly) {
  std::string out;
  const auto read = [&](const Node& node, Problems& problems) {
    return read_string(node, problems, out);
  };
  EXPECT_EQ(complaint("\"x\"", read), "");
  EXPECT_EQ(out, "x");
  EXPECT_EQ(complaint("5", read), "expected a string but found the number 5");
  EXPECT_EQ(complaint("null", read), "expected a string but found null");
  EXPECT_EQ(complaint("{}", read), "expected a string but found an object");
  EXPECT_EQ(out, "x");
}

TEST(ReadBool, TakesTrueAndFalseOnly) {
  bool out = false;
  const auto read = [&](const Node& node, Problems& problems) {
    return read_bool(node, problems, out);
  };
  EXPECT_EQ(complaint("true", read), "");
  EXPECT_TRUE(out);
  EXPECT_EQ(complaint("1", read), "expected true or false but found the number 1");
  EXPECT_EQ(complaint("\"true\"", read), "expected true or false but found the string \"true\"");
}

TEST(ReadInteger, TakesWholeNumbersInRange) {
  std::int64_t out = 0;
  const auto read = [&](const Node& node, Problems& problems) {
    return read_integer(node, problems, out, -3, 10);
  };
  EXPECT_EQ(complaint("-3", read), "");
  EXPECT_EQ(out, -3);
  EXPECT_EQ(complaint("10", read), "");
  EXPECT_EQ(complaint("11", read), "11 is out of range; expected -3 to 10");
  EXPECT_EQ(complaint("99999999999999999999", read),
            "99999999999999999999 is out of range; expected -3 to 10");
  EXPECT_EQ(complaint("1.0", read), "expected a whole number but found the number 1.0");
  EXPECT_EQ(complaint("1e1", read), "expected a whole number but found the number 1e1");
  EXPECT_EQ(out, 10);
}

TEST(ReadInteger, NamesOnlyTheEndThatCanBePassed) {
  std::int64_t out = 0;
  const auto at_least = [&](const Node& node, Problems& problems) {
    return read_integer(node, problems, out, 1, std::numeric_limits<std::int64_t>::max());
  };
  EXPECT_EQ(complaint("0", at_least), "0 is out of range; expected at least 1");
  EXPECT_EQ(complaint("9223372036854775807", at_least), "");
  EXPECT_EQ(out, std::numeric_limits<std::int64_t>::max());
}

TEST(ReadNumber, TakesAnyNumberInRange) {
  double out = 0;
  const auto read = [&](const Node& node, Problems& problems) {
    return read_number(node, problems, out, 0, 1);
  };
  EXPECT_EQ(complaint("0.97", read), "");
  EXPECT_EQ(out, 0.97);
  EXPECT_EQ(complaint("1e0", read), "");
  EXPECT_EQ(complaint("97", read), "97 is out of range; expected 0 to 1");
  EXPECT_EQ(complaint("-0.5", read), "-0.5 is out of range; expected 0 to 1");
  EXPECT_EQ(complaint("\"1\"", read), "expected a number but found the string \"1\"");
}

TEST(ReadDuration, TakesDurationsInRange) {
  Duration out{};
  const auto read = [&](const Node& node, Problems& problems) {
    return read_duration(node, problems, out, 10ms, 1min);
  };
  EXPECT_EQ(complaint("\"250ms\"", read), "");
  EXPECT_EQ(out, 250ms);
  EXPECT_EQ(complaint("\"10ms\"", read), "");
  EXPECT_EQ(complaint("\"60s\"", read), "");
  EXPECT_EQ(out, 1min);
  EXPECT_EQ(complaint("\"5ms\"", read), "\"5ms\" is out of range; expected 10ms to 1m");
  EXPECT_EQ(complaint("\"1m1ns\"", read), "\"1m1ns\" is out of range; expected 10ms to 1m");
  EXPECT_EQ(out, 1min);
}

TEST(ReadDuration, SuggestsTheUnitOfABareNumber) {
  Duration out{};
  const auto read = [&](const Node& node, Problems& problems) {
    return read_duration(node, problems, out);
  };
  EXPECT_EQ(complaint("250", read),
            "expected a duration such as \"250ms\" but found the number 250; "
            "did you mean \"250s\" or \"250ms\"?");
  EXPECT_EQ(complaint("1.5", read),
            "expected a duration such as \"250ms\" but found the number 1.5; "
            "did you mean \"1.5s\"?");
  EXPECT_EQ(complaint("-1", read),
            "expected a duration such as \"250ms\" but found the number -1; "
            "a duration is a number with its unit");
  EXPECT_EQ(complaint("\"30\"", read),
            "expected a duration such as \"250ms\" but found the string \"30\"; "
            "did you mean \"30s\"?");
}

TEST(ReadDuration, SuggestsTheSpellingOfASlip) {
  Duration out{};
  const auto read = [&](const Node& node, Problems& problems) {
    return read_duration(node, problems, out);
  };
  const std::string expected = "expected a duration such as \"250ms\" but found the string ";
  EXPECT_EQ(complaint("\"250 MS\"", read), expected + "\"250 MS\"; did you mean \"250ms\"?");
  EXPECT_EQ(complaint("\"3h 20m\"", read), expected + "\"3h 20m\"; did you mean \"3h20m\"?");
  EXPECT_EQ(
      complaint("\"soon\"", read),
      expected +
          "\"soon\"; expected numbers with units (d, h, m, s, ms, us, ns), such as \"3h20m\"");
  EXPECT_EQ(complaint("true", read), "expected a duration such as \"250ms\" but found true");
}

TEST(ReadWord, TakesOneOfItsWords) {
  std::size_t out = 9;
  const auto read = [&](const Node& node, Problems& problems) {
    return read_word(node, problems, {"openai", "anthropic"}, out);
  };
  EXPECT_EQ(complaint("\"anthropic\"", read), "");
  EXPECT_EQ(out, 1U);
  EXPECT_EQ(complaint("\"antropic\"", read),
            "unexpected value \"antropic\"; did you mean \"anthropic\"?");
  EXPECT_EQ(complaint("\"gemini\"", read),
            "unexpected value \"gemini\"; expected one of: openai, anthropic");
  EXPECT_EQ(complaint("1", read),
            "expected a string but found the number 1; expected one of: openai, anthropic");
  EXPECT_EQ(out, 1U);
}

TEST(ReadArray, ReadsItemByItem) {
  const auto document = parsed("[1, \"x\", 3]");
  Problems problems;
  std::vector<std::int64_t> values;
  EXPECT_TRUE(read_array(document->root(), problems, [&](const Node& node) {
    std::int64_t value = 0;
    if (read_integer(node, problems, value, 0, 9)) values.push_back(value);
  }));
  EXPECT_THAT(values, ElementsAre(1, 3));
  EXPECT_EQ(problems.size(), 1U);
  EXPECT_FALSE(read_array(document->root().items[0], problems, [](const Node&) { FAIL(); }));
  EXPECT_EQ(problems.size(), 2U);
}

// ---- properties

std::string random_space() {
  const auto blanks = rc::gen::container<std::string>(rc::gen::element(' ', '\t', '\n', '\r'));
  return *rc::gen::resize(3, blanks);
}

std::string random_string() {
  const auto piece =
      rc::gen::element<std::string>("a", "b", "{", "]", ",", ":", " ", "\\\"", "\\\\", "\\n",
                                    "\\u0041", "\\ud83d\\ude00", "\u00E9", "\u20AC", "\U0001F600");
  std::string text;
  for (const std::string& part :
       *rc::gen::resize(6, rc::gen::container<std::vector<std::string>>(piece))) {
    text += part;
  }
  return text;
}

/// The text of some JSON value at most `levels` deep.
std::string random_json(int levels) {
  const int kind = *rc::gen::inRange(0, levels > 0 ? 6 : 4);
  if (kind == 0) return *rc::gen::element<std::string>("null", "true", "false");
  if (kind == 1) return fmt::format("{}", *rc::gen::arbitrary<std::int64_t>());
  if (kind == 2) {
    return *rc::gen::element<std::string>("0", "-0.5", "1e3", "1.25E-7", "123456789.000", "-1e+2");
  }
  if (kind == 3) return "\"" + random_string() + "\"";
  const bool object = kind == 5;
  std::string text = object ? "{" : "[";
  const int size = *rc::gen::inRange(0, 4);
  for (int i = 0; i < size; ++i) {
    if (i > 0) text += ",";
    text += random_space();
    if (object)
      text += fmt::format("\"{}{}\"{}:{}", random_string(), i, random_space(), random_space());
    text += random_json(levels - 1) + random_space();
  }
  if (size == 0) text += random_space();
  return text + (object ? "}" : "]");
}

bool same(const Node& left, const Node& right) {
  const auto same_member = [](const Node::Member& one, const Node::Member& other) {
    return one.key == other.key && same(one.value, other.value);
  };
  return left.type == right.type && left.boolean == right.boolean && left.number == right.number &&
         left.text == right.text &&
         std::equal(left.items.begin(), left.items.end(), right.items.begin(), right.items.end(),
                    &same) &&
         std::equal(left.members.begin(), left.members.end(), right.members.begin(),
                    right.members.end(), same_member);
}

void expect_spans_to_hold(const Document& document, const Node& node) {
  const auto alone = parsed(slice(document, node.span));
  RC_ASSERT(same(alone->root(), node));
  RC_ASSERT(alone->root().span.begin == 0U);
  RC_ASSERT(alone->root().span.end == node.span.end - node.span.begin);
  for (const Node& item : node.items) expect_spans_to_hold(document, item);
  for (const Node::Member& member : node.members) {
    RC_ASSERT(parsed(slice(document, member.key_span))->root().text == member.key);
    expect_spans_to_hold(document, member.value);
  }
}

RC_GTEST_PROP(Document, EverySpanIsTheTextOfItsValue, ()) {
  const auto document = parsed(random_space() + random_json(4) + random_space());
  expect_spans_to_hold(*document, document->root());
}

// Whatever is typed, there is a tree or an error that points into the text.
RC_GTEST_PROP(Document, NoTextBreaksTheParser, ()) {
  std::string text = random_json(3);
  const auto at = *rc::gen::inRange<std::size_t>(0, text.size() + 1);
  const auto removed = *rc::gen::inRange<std::size_t>(0, 3);
  text.replace(
      at, removed,
      *rc::gen::element<std::string>("", "\"", "{", "}", "[", "]", ",", ":", "\\", "0", "e", "-",
                                     "/", "\n", "\x80", "\xE2\x82", std::string(1, '\0')));
  for (const Error& error : errors_of(text)) {
    RC_ASSERT(!error.message.empty());
    RC_ASSERT(error.excerpt.find("file.json:") != std::string::npos);
    RC_ASSERT(error.excerpt.find('^') != std::string::npos);
  }
}

}  // namespace
}  // namespace brownout
