#include "engine/store/reply_codec.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

namespace brownout {
namespace {

std::string encoded(const ReplyRecord& record) {
  std::string bytes;
  encode_reply(record, bytes);
  return bytes;
}

ReplyRecord record_of(const std::string& text) {
  return {{std::make_shared<const std::string>(text), 800, 200},
          SystemTime{std::chrono::seconds{1'700'000'000}}};
}

TEST(ReplyCodec, IsTheFormatThatIsDocumented) {
  const std::string bytes = encoded(record_of("hi"));
  ASSERT_EQ(bytes.size(), reply_header_bytes + 2);
  EXPECT_EQ(bytes.substr(0, 4), "bro1");
  // 1.7e18 ns = 0x17979cfe362a0000.
  EXPECT_EQ(bytes.substr(8), std::string("\x00\x00\x2a\x36\xfe\x9c\x97\x17"
                                         "\x20\x03\x00\x00"
                                         "\xc8\x00\x00\x00"
                                         "\x01hi",
                                         19));
}

RC_GTEST_PROP(ReplyCodec, GivesBackWhatWasPutIn, ()) {
  ReplyRecord record;
  record.reply.input_tokens = *rc::gen::arbitrary<std::uint32_t>();
  record.reply.output_tokens = *rc::gen::arbitrary<std::uint32_t>();
  record.stored_at = SystemTime{Duration{*rc::gen::arbitrary<std::int64_t>()}};
  const bool has_text = *rc::gen::arbitrary<bool>();
  const auto text = *rc::gen::arbitrary<std::string>();
  if (has_text) record.reply.text = std::make_shared<const std::string>(text);
  const auto decoded = decode_reply(encoded(record));
  RC_ASSERT(decoded.has_value());
  RC_ASSERT(decoded->reply.input_tokens == record.reply.input_tokens);
  RC_ASSERT(decoded->reply.output_tokens == record.reply.output_tokens);
  RC_ASSERT(decoded->stored_at == record.stored_at);
  RC_ASSERT((decoded->reply.text != nullptr) == has_text);
  if (has_text) RC_ASSERT(*decoded->reply.text == text);
}

TEST(ReplyCodec, RefusesWhateverIsCutOff) {
  const std::string bytes = encoded(record_of("a reply"));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_reply(bytes.substr(0, size))) << size;
  }
  EXPECT_FALSE(decode_reply(bytes + "x"));
}

TEST(ReplyCodec, RefusesWhateverWasChanged) {
  const std::string bytes = encoded(record_of("a reply"));
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string changed = bytes;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ 1 << bit % 8);
    EXPECT_FALSE(decode_reply(changed)) << "bit " << bit;
  }
}

TEST(ReplyCodec, RefusesWhatAnotherProgramLeft) {
  EXPECT_FALSE(decode_reply(""));
  EXPECT_FALSE(decode_reply("bro1"));
  EXPECT_FALSE(decode_reply(R"({"reply": "hello", "tokens": 12, "stored_at": 1700000000})"));
  EXPECT_FALSE(decode_reply(std::string(100, '\0')));
}

}  // namespace
}  // namespace brownout
