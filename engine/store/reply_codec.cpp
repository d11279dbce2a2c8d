#include "engine/store/reply_codec.hpp"

#include <xxhash.h>

#include <cstdint>
#include <memory>

namespace brownout {
namespace {

constexpr std::string_view mark = "bro1";
constexpr std::size_t checked_from = 8;

template <class Number>
void append(std::string& bytes, Number number) {
  auto rest = static_cast<std::uint64_t>(number);
  for (std::size_t i = 0; i < sizeof(Number); ++i, rest >>= 8) {
    bytes.push_back(static_cast<char>(rest & 0xFF));
  }
}

template <class Number>
Number number_at(std::string_view bytes, std::size_t offset) {
  std::uint64_t number = 0;
  for (std::size_t i = sizeof(Number); i > 0; --i) {
    number = number << 8 | static_cast<unsigned char>(bytes[offset + i - 1]);
  }
  return static_cast<Number>(number);
}

std::uint32_t checksum(std::string_view bytes) {
  return static_cast<std::uint32_t>(
      XXH3_64bits(bytes.data() + checked_from, bytes.size() - checked_from));
}

}  // namespace

void encode_reply(const ReplyRecord& record, std::string& bytes) {
  bytes.assign(mark);
  append(bytes, std::uint32_t{0});
  append(bytes, std::int64_t{record.stored_at.time_since_epoch().count()});
  append(bytes, record.reply.input_tokens);
  append(bytes, record.reply.output_tokens);
  append(bytes, std::uint8_t{record.reply.text != nullptr});
  if (record.reply.text) bytes += *record.reply.text;
  std::string sum;
  append(sum, checksum(bytes));
  bytes.replace(mark.size(), sum.size(), sum);
}

std::optional<ReplyRecord> decode_reply(std::string_view bytes) {
  if (bytes.size() < reply_header_bytes || !bytes.starts_with(mark)) return std::nullopt;
  if (number_at<std::uint32_t>(bytes, mark.size()) != checksum(bytes)) return std::nullopt;
  const std::string_view text = bytes.substr(reply_header_bytes);
  const auto has_text = number_at<std::uint8_t>(bytes, 24);
  if (has_text > 1 || (has_text == 0 && !text.empty())) return std::nullopt;
  ReplyRecord record;
  record.stored_at = SystemTime{Duration{number_at<std::int64_t>(bytes, 8)}};
  record.reply.input_tokens = number_at<std::uint32_t>(bytes, 16);
  record.reply.output_tokens = number_at<std::uint32_t>(bytes, 20);
  if (has_text == 1) record.reply.text = std::make_shared<const std::string>(text);
  return record;
}

}  // namespace brownout
