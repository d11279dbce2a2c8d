#include "mockserver/http/journal.hpp"

#include <fmt/format.h>

#include <iterator>

namespace brownout::mock::http {
namespace {

constexpr std::array<std::string_view, 4> bucket_names{"requests", "tokens", "input_tokens",
                                                       "output_tokens"};

std::string_view limit_name(LimitKind limit) {
  if (limit == LimitKind::concurrency) return "concurrency";
  return bucket_names[static_cast<std::size_t>(limit) - 1];
}

// Members of one object, in order.
class Members {
 public:
  explicit Members(std::string& out) : out_(out) { out_ += '{'; }
  Members(const Members&) = delete;
  Members& operator=(const Members&) = delete;
  ~Members() { out_ += '}'; }

  void text(std::string_view name, std::string_view value) {
    key(name);
    append_json(value, out_);
  }
  void raw(std::string_view name, std::string_view value) {
    key(name);
    out_ += value;
  }
  template <class Integer>
  void number(std::string_view name, Integer value) {
    key(name);
    const fmt::format_int digits(value);
    out_.append(digits.data(), digits.size());
  }
  void duration(std::string_view name, Duration value) { number(name, value.count()); }
  std::string& key(std::string_view name) {
    if (out_.back() != '{') out_ += ',';
    out_ += '"';
    out_ += name;
    out_ += "\":";
    return out_;
  }

 private:
  std::string& out_;
};

void append_decision(const JournalEntry& entry, std::string& out) {
  Members decision(out);
  decision.text("outcome", to_string(entry.outcome));
  decision.number("status", entry.status);
  if (!entry.fault.empty()) decision.text("fault", entry.fault);
  if (entry.injected) decision.raw("injected", "true");
  if (entry.wire.word != WireWord::none) {
    decision.text("wire", mock::to_string(entry.wire.word));
    if (wire_rule(entry.wire.word).places != 0) decision.text("at", entry.wire.point.to_string());
  }
  if (entry.draw) {
    decision.raw("draw",
                 fmt::format("{}.{:09}", *entry.draw / 1'000'000'000, *entry.draw % 1'000'000'000));
  }
  if (entry.hit.limit != LimitKind::none) decision.text("limit", limit_name(entry.hit.limit));
  if (entry.retry_after) decision.duration("retry_after_ns", *entry.retry_after);
}

void append_buckets(const JournalEntry& entry, std::string& out) {
  Members buckets(out);
  for (std::size_t i = 0; i < entry.buckets.size(); ++i) {
    const BucketLevels& levels = entry.buckets[i];
    if (levels.limit < 0) continue;
    Members bucket(buckets.key(bucket_names[i]));
    bucket.number("limit", levels.limit);
    bucket.number("before", levels.before);
    bucket.number("after", levels.after);
  }
}

void append_bytes(const JournalEntry& entry, std::string& out) {
  Members bytes(out);
  bytes.number("sent", entry.bytes);
  bytes.number("pieces", entry.pieces);
  if (entry.pieces == 0) return;
  bytes.duration("first_scheduled_ns", entry.first_scheduled);
  bytes.duration("first_sent_ns", entry.first_sent);
  bytes.duration("last_scheduled_ns", entry.last_scheduled);
  bytes.duration("last_sent_ns", entry.last_sent);
  bytes.duration("most_late_real_ns", entry.lateness);
}

// The length of the UTF-8 character at the front, 0 if there is none.
std::size_t character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return 0;
  }
  // Overlong forms, surrogates, and what is beyond the last code point.
  const unsigned char second = byte(1);
  if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F)) return 0;
  if ((first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F)) return 0;
  return size;
}

}  // namespace

std::string_view to_string(ClosedBy by) {
  switch (by) {
    case ClosedBy::nobody:
      return "nobody";
    case ClosedBy::server:
      return "server";
    case ClosedBy::server_reset:
      return "server_reset";
    case ClosedBy::client:
      return "client";
    case ClosedBy::shutdown:
      return "shutdown";
  }
  return "";
}

void append_json(std::string_view text, std::string& out) {
  out += '"';
  while (!text.empty()) {
    const std::size_t size = character(text);
    const char first = text.front();
    if (size == 0) {
      out += "\uFFFD";
    } else if (first == '"' || first == '\\') {
      out += '\\';
      out += first;
    } else if (static_cast<unsigned char>(first) < 0x20 || first == 0x7F) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(first));
    } else {
      out += text.substr(0, size);
    }
    text.remove_prefix(size == 0 ? 1 : size);
  }
  out += '"';
}

void append_line(const JournalEntry& entry, std::string& out) {
  {
    Members line(out);
    line.number("request", entry.number);
    line.duration("at_ns", entry.arrived - Instant{});
    line.text("phase", entry.phase);
    if (!entry.test.empty()) line.text("test", entry.test);
    line.text("method", entry.method);
    line.text("path", entry.path);
    line.text("model", entry.model);
    line.raw("stream", entry.stream ? "true" : "false");
    if (entry.is_call) {
      line.text("call", fmt::format("{:016x}", entry.attempt.call));
      line.number("attempt", entry.attempt.number);
      line.text("correlated_by", to_string(entry.attempt.by));
      line.number("input_tokens", entry.input_tokens);
      line.number("max_tokens", entry.max_tokens);
    }
    append_decision(entry, line.key("decision"));
    if (entry.is_call) {
      append_buckets(entry, line.key("buckets"));
      if (entry.queued) line.duration("queued_ns", *entry.queued);
      line.number("output_tokens", entry.output_tokens);
      line.number("delivered_tokens", entry.delivered_tokens);
    }
    append_bytes(entry, line.key("bytes"));
    line.duration("ended_ns", entry.ended);
    line.text("closed_by", to_string(entry.closed_by));
    if (entry.attempt.finding) line.text("finding", to_string(*entry.attempt.finding));
  }
  out += '\n';
}

void Journal::add(std::string line) {
  lines_.push_back(std::move(line));
  if (lines_.size() > most_kept_) lines_.pop_front();
}

}  // namespace brownout::mock::http
