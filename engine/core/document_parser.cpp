// The parser is written by hand because its product is error messages: it has to know what a person
// was about to write (a comma too many, a unit without quotes), and every value's exact span.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "engine/core/document.hpp"
#include "engine/core/document_text.hpp"

namespace brownout {
namespace {

constexpr std::size_t most_levels = 64;

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  const auto rest = [&](int shift) { put(0x80 | (code >> shift & 0x3F)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    rest(0);
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    rest(6);
    rest(0);
  } else {
    put(0xF0 | code >> 18);
    rest(12);
    rest(6);
    rest(0);
  }
}

}  // namespace

/// Recursive descent over the grammar of RFC 8259. Every function stands on the first byte of what
/// it reads, leaves the position behind it, and is false once a syntax error has been reported.
class DocumentParser {
 public:
  static Result<std::unique_ptr<Document>> parse(std::string name, std::string text) {
    if (text.size() > most_document_bytes) {
      return brownout::fail(ErrorKind::invalid, name + " is larger than 16 MiB");
    }
    std::unique_ptr<Document> document(new Document(std::move(name), std::move(text)));
    DocumentParser parser(*document);
    parser.whole();
    if (!parser.problems_.empty()) return tl::unexpected<Errors>(parser.problems_.take());
    return document;
  }

 private:
  enum class Next : std::uint8_t { item, closed, failed };

  explicit DocumentParser(Document& document) : document_(document), text_(document.text_) {}

  bool whole();
  bool encoding();
  bool space();
  bool value(Node& node);
  bool array(Node& node);
  bool object(Node& node);
  bool open(Node& node);
  bool key(Node::Member& member);
  Next separator(const Node& before);
  bool number(Node& node);
  bool string(std::string& out);
  bool escape(std::string& out);
  bool code_point(std::string& out);
  bool word(Node& node);
  void duplicates(const Node& node);

  bool at_end() const { return at_ == text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }
  bool digits();
  std::string_view slice(Span span) const {
    return text_.substr(span.begin, span.end - span.begin);
  }
  Span from(std::uint32_t begin) const { return {begin, at_}; }
  /// A value as messages repeat it.
  std::string_view shown(std::string_view text) const {
    return may_hold_keys(text_) ? "this" : text;
  }
  std::string did_you_mean(std::string_view text) const {
    return may_hold_keys(text_) ? "" : fmt::format("did you mean {}?", quoted(text));
  }
  Span character() const;
  Span run() const;
  std::optional<std::uint32_t> hex(std::uint32_t at) const;
  std::uint32_t line_of(std::uint32_t offset) const { return document_.position(offset).line; }

  bool fail(Span span, std::string message, std::string note = {});
  bool fail_at_end();
  bool fail_at_character(std::string_view expected);

  Document& document_;
  std::string_view text_;
  std::uint32_t at_ = 0;
  std::vector<std::uint32_t> open_;  // where the arrays and objects around at_ begin
  Problems problems_;
};

bool DocumentParser::fail(Span span, std::string message, std::string note) {
  problems_.add(document_, span, std::move(message), std::move(note));
  return false;
}

bool DocumentParser::fail_at_end() {
  std::uint32_t end = at_;
  while (end > 0 && is_space(text_[end - 1])) --end;
  if (open_.empty()) return fail({end, end}, "the document is empty", "expected a JSON value");
  const bool in_object = text_[open_.back()] == '{';
  return fail({end, end},
              fmt::format("the file ends inside the {} that begins in line {}",
                          in_object ? "object" : "array", line_of(open_.back())),
              in_object ? "expected }" : "expected ]");
}

/// The character the parser stands on.
Span DocumentParser::character() const {
  return {at_, at_ + static_cast<std::uint32_t>(character_length(text_, at_))};
}

/// The letters, digits and underscores the parser stands on.
Span DocumentParser::run() const {
  std::uint32_t end = at_;
  while (end < text_.size() && is_word(text_[end])) ++end;
  return {at_, end};
}

bool DocumentParser::fail_at_character(std::string_view expected) {
  if (at_end()) return fail_at_end();
  const std::string_view text = slice(character());
  const bool other_quote = text == "'" || text == "`" || text == "\u201C" || text == "\u201D" ||
                           text == "\u2018" || text == "\u2019";
  if (other_quote) return fail(character(), "strings and keys are written in double quotes (\")");
  const std::string name = is_control(text.front())
                               ? fmt::format("U+{:04X}", static_cast<unsigned>(text.front()))
                               : std::string(text);
  return fail(character(), fmt::format("unexpected {}", name),
              fmt::format("expected {}", expected));
}

bool DocumentParser::whole() {
  if (!encoding() || !space()) return false;
  if (!value(document_.root_) || !space()) return false;
  if (at_end()) return true;
  return fail(character(), "the document goes on after its end",
              fmt::format("its one value begins in line {} and ends before this",
                          line_of(document_.root_.span.begin)));
}

bool DocumentParser::encoding() {
  if (text_.starts_with("\xEF\xBB\xBF")) {
    return fail({0, 3}, "the file begins with a byte order mark", "save it as UTF-8 without one");
  }
  for (std::size_t at = 0; at < text_.size();) {
    const std::size_t length = character_length(text_, at);
    if (length == 0) {
      const auto offset = static_cast<std::uint32_t>(at);
      return fail({offset, offset + 1}, "the file is not UTF-8",
                  fmt::format("byte 0x{:02X}", static_cast<unsigned char>(text_[at])));
    }
    at += length;
  }
  return true;
}

bool DocumentParser::space() {
  while (!at_end() && is_space(text_[at_])) ++at_;
  const std::string_view rest = text_.substr(at_);
  if (!rest.starts_with("//") && !rest.starts_with("/*") && !rest.starts_with('#')) return true;
  const std::uint32_t begin = at_;
  while (!at_end() && text_[at_] != '\n' && text_[at_] != '\r') ++at_;
  return fail(from(begin), "JSON has no comments");
}

bool DocumentParser::value(Node& node) {
  node.document = &document_;
  node.span.begin = at_;
  const char first = peek();
  bool read = false;
  if (first == '{') {
    read = object(node);
  } else if (first == '[') {
    read = array(node);
  } else if (first == '"') {
    node.type = Node::Type::string;
    read = string(node.text);
  } else if (first == '-' || is_digit(first)) {
    read = number(node);
  } else {
    read = word(node);
  }
  node.span.end = at_;
  return read;
}

bool DocumentParser::word(Node& node) {
  const Span span = run();
  const std::string_view text = slice(span);
  if (text.empty()) {
    const bool sloppy_number =
        (peek() == '+' || peek() == '.') && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]);
    return fail_at_character(sloppy_number ? "a number to begin with a digit or minus sign"
                                           : "a value");
  }
  if (text == "true" || text == "false") {
    node.type = Node::Type::boolean;
    node.boolean = text == "true";
  } else if (text != "null") {
    const std::optional<std::string_view> near = nearest(text, {"true", "false", "null"});
    if (near)
      return fail(span, fmt::format("unknown word {}", text),
                  fmt::format("did you mean {}?", *near));
    const bool special_number = text == "NaN" || text == "Infinity";
    return fail(
        span, fmt::format("{} is not a JSON value", shown(text)),
        special_number ? "JSON numbers are finite" : "strings are written in double quotes");
  }
  at_ = span.end;
  return true;
}

bool DocumentParser::open(Node& node) {
  node.type = peek() == '{' ? Node::Type::object : Node::Type::array;
  if (open_.size() == most_levels) {
    return fail(character(), fmt::format("nested deeper than {} levels", most_levels));
  }
  open_.push_back(at_++);
  return space();
}

bool DocumentParser::array(Node& node) {
  if (!open(node)) return false;
  Next next = Next::item;
  if (peek() == ']') {
    ++at_;
    open_.pop_back();
    return true;
  }
  while (next == Next::item) {
    if (!value(node.items.emplace_back())) return false;
    next = separator(node.items.back());
  }
  return next == Next::closed;
}

bool DocumentParser::object(Node& node) {
  if (!open(node)) return false;
  Next next = Next::item;
  if (peek() == '}') {
    ++at_;
    open_.pop_back();
    return true;
  }
  while (next == Next::item) {
    Node::Member& member = node.members.emplace_back();
    if (!key(member) || !value(member.value)) return false;
    next = separator(member.value);
  }
  duplicates(node);
  return next == Next::closed;
}

/// A key and its colon.
bool DocumentParser::key(Node::Member& member) {
  const std::uint32_t begin = at_;
  if (const Span bare = run(); bare.begin != bare.end) {
    return fail(bare, "keys are written in double quotes", did_you_mean(slice(bare)));
  }
  if (peek() != '"') return fail_at_character("a key in double quotes");
  if (!string(member.key)) return false;
  member.key_span = from(begin);
  if (!space()) return false;
  if (at_end()) return fail_at_end();
  if (peek() != ':') return fail(member.key_span, "expected a colon after this key");
  ++at_;
  return space();
}

/// What follows a value inside an array or object: a comma, or the end.
DocumentParser::Next DocumentParser::separator(const Node& before) {
  if (!space()) return Next::failed;
  const std::uint32_t opener = open_.back();
  const char closer = text_[opener] == '{' ? '}' : ']';
  const std::uint32_t here = at_;
  if (peek() == closer) {
    ++at_;
    open_.pop_back();
    return Next::closed;
  }
  if (peek() == ',') {
    ++at_;
    if (!space()) return Next::failed;
    if (peek() != closer) return Next::item;
    fail({here, here + 1}, "trailing comma", fmt::format("nothing follows it but {}", closer));
  } else if (at_end()) {
    fail_at_end();
  } else if (peek() == '}' || peek() == ']') {
    fail(character(), fmt::format("unexpected {}", peek()),
         fmt::format("expected {} for the {} of line {}", closer, text_[opener], line_of(opener)));
  } else {
    // Of a value over several lines the end is where the comma is missing.
    Span span = before.span;
    if (slice(span).find('\n') != std::string_view::npos) span.begin = span.end - 1;
    fail(span, fmt::format("expected a comma or {} after this value", closer));
  }
  return Next::failed;
}

void DocumentParser::duplicates(const Node& node) {
  const std::vector<Node::Member>& members = node.members;
  std::vector<std::size_t> order(members.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t left, std::size_t right) {
    return members[left].key < members[right].key;
  });
  std::size_t first = 0;
  for (std::size_t i = 1; i < order.size(); ++i) {
    const Node::Member& original = members[order[first]];
    const Node::Member& member = members[order[i]];
    if (member.key != original.key) {
      first = i;
    } else {
      fail(member.key_span, "duplicate key " + quoted(member.key),
           fmt::format("first used in line {}", line_of(original.key_span.begin)));
    }
  }
}

bool DocumentParser::digits() {
  const std::uint32_t begin = at_;
  while (is_digit(peek())) ++at_;
  return at_ > begin;
}

bool DocumentParser::number(Node& node) {
  node.type = Node::Type::number;
  const std::uint32_t begin = at_;
  if (peek() == '-') ++at_;
  const std::uint32_t first_digit = at_;
  if (!digits()) return fail(from(begin), "expected a digit after the minus sign");
  if (text_[first_digit] == '0' && at_ > first_digit + 1) {
    return fail(from(begin), "a number has no leading zeros");
  }
  if (peek() == '.') {
    ++at_;
    if (!digits()) return fail(from(begin), "expected a digit after the decimal point");
  }
  const std::uint32_t before_exponent = at_;
  if (peek() == 'e' || peek() == 'E') {
    ++at_;
    if (peek() == '+' || peek() == '-') ++at_;
    if (!digits()) {
      if (!is_letter(peek())) return fail(from(begin), "expected a digit in the exponent");
      at_ = before_exponent;  // the "e" begins a unit
    }
  }
  node.text = slice(from(begin));
  // A unit: letters, or one of the signs that rates and shares are written with.
  const std::string_view rest = text_.substr(at_, 2);
  const bool unit = is_word(peek()) || peek() == '%' || peek() == '.' ||
                    (peek() == '/' && rest != "//" && rest != "/*");
  if (unit) {
    if (!is_word(peek())) ++at_;
    at_ = run().end;
    const std::string_view written = slice(from(begin));
    return fail(from(begin), fmt::format("{} is not a number", shown(written)),
                did_you_mean(written));
  }
  const char* end = node.text.data() + node.text.size();
  const std::from_chars_result result = std::from_chars(node.text.data(), end, node.number);
  if (result.ec != std::errc{} || !std::isfinite(node.number)) {
    return fail(from(begin), "the number is outside the range of a 64-bit float");
  }
  return true;
}

bool DocumentParser::string(std::string& out) {
  const std::uint32_t begin = at_++;
  while (!at_end() && text_[at_] != '\n' && text_[at_] != '\r') {
    const char c = text_[at_];
    if (c == '"') {
      ++at_;
      return true;
    }
    if (c == '\\') {
      if (text_.substr(at_ + 1, 1).find_first_not_of("\r\n") == text_.npos) {
        ++at_;  // what it would escape is the end of the line: the string is unterminated
      } else if (!escape(out)) {
        return false;
      }
    } else if (static_cast<unsigned char>(c) < 0x20) {
      return fail(
          character(), "a control character in a string must be escaped",
          c == '\t' ? "write \\t" : fmt::format("write \\u{:04x}", static_cast<unsigned>(c)));
    } else {
      out += c;
      ++at_;
    }
  }
  return fail(from(begin), "unterminated string", "expected a closing \"");
}

bool DocumentParser::escape(std::string& out) {
  constexpr std::string_view letters = "\"\\/bfnrt";
  constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
  const std::uint32_t begin = at_++;
  if (peek() == 'u') {
    ++at_;
    return code_point(out);
  }
  const std::size_t index = letters.find(peek());
  if (index == letters.npos) {
    at_ = character().end;
    return fail(from(begin), "unknown escape in a string", "a backslash itself is written \\\\");
  }
  out += meanings[index];
  ++at_;
  return true;
}

std::optional<std::uint32_t> DocumentParser::hex(std::uint32_t at) const {
  if (at + 4 > text_.size()) return std::nullopt;
  std::uint32_t code = 0;
  const char* first = text_.data() + at;
  const std::from_chars_result result = std::from_chars(first, first + 4, code, 16);
  if (result.ec != std::errc{} || result.ptr != first + 4) return std::nullopt;
  return code;
}

/// The digits behind "\u", and a second escape where the first is half of a surrogate pair.
bool DocumentParser::code_point(std::string& out) {
  const std::uint32_t begin = at_ - 2;
  const std::optional<std::uint32_t> code = hex(at_);
  if (!code) return fail(from(begin), "expected four hexadecimal digits after \\u");
  at_ += 4;
  if (*code < 0xD800 || *code > 0xDFFF) {
    append_utf8(out, *code);
    return true;
  }
  const bool more = text_.substr(at_).starts_with("\\u");
  const std::optional<std::uint32_t> low = more ? hex(at_ + 2) : std::nullopt;
  if (*code > 0xDBFF || !low || *low < 0xDC00 || *low > 0xDFFF) {
    return fail(from(begin), "half of a surrogate pair is not a character");
  }
  at_ += 6;
  append_utf8(out, 0x10000 + ((*code - 0xD800) << 10) + (*low - 0xDC00));
  return true;
}

Result<std::unique_ptr<Document>> Document::parse(std::string name, std::string text) {
  return DocumentParser::parse(std::move(name), std::move(text));
}

}  // namespace brownout
