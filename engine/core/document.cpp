#include "engine/core/document.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "engine/core/document_text.hpp"

namespace brownout {
namespace {

constexpr std::size_t widest_line = 100;        // characters of a line an excerpt shows
constexpr std::size_t shown_before_caret = 40;  // of a line that is cut
constexpr std::string_view ellipsis = "\xE2\x80\xA6";

}  // namespace

const Node* Node::find(std::string_view key) const {
  for (const Member& member : members) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

std::string_view describe(Node::Type type) {
  switch (type) {
    case Node::Type::null:
      return "null";
    case Node::Type::boolean:
      return "true or false";
    case Node::Type::number:
      return "a number";
    case Node::Type::string:
      return "a string";
    case Node::Type::array:
      return "an array";
    case Node::Type::object:
      return "an object";
  }
  return "";
}

Document::Document(std::string name, std::string text)
    : name_(std::move(name)), text_(std::move(text)), line_starts_{0} {
  for (std::size_t at = text_.find('\n'); at != text_.npos; at = text_.find('\n', at + 1)) {
    line_starts_.push_back(static_cast<std::uint32_t>(at + 1));
  }
}

Result<std::unique_ptr<Document>> Document::load(const std::string& path) {
  const auto cannot_read = [&](int code) {
    return fail(ErrorKind::environment,
                fmt::format("cannot read {}: {}", path, std::generic_category().message(code)));
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             &std::fclose);
  if (!file) return cannot_read(errno);
  // One byte more than allowed is enough to be refused as too large.
  std::string text(most_document_bytes + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0) return cannot_read(errno);
  text.shrink_to_fit();
  return parse(path, std::move(text));
}

std::string_view Document::line(std::uint32_t number) const {
  std::string_view rest = std::string_view(text_).substr(line_starts_[number - 1]);
  rest = rest.substr(0, rest.find('\n'));
  if (rest.ends_with('\r')) rest.remove_suffix(1);
  return rest;
}

Document::Position Document::position(std::uint32_t offset) const {
  const auto next = std::upper_bound(line_starts_.begin() + 1, line_starts_.end(), offset);
  const auto number = static_cast<std::uint32_t>(next - line_starts_.begin());
  const std::string_view before = line(number).substr(0, offset - *(next - 1));
  return {number, static_cast<std::uint32_t>(characters(before).size()) + 1};
}

std::string Document::excerpt(Span span, std::string_view note) const {
  const Position place = position(span.begin);
  const std::uint32_t line_start = line_starts_[place.line - 1];
  std::string_view text = line(place.line);
  const std::size_t marked_end =
      std::min<std::size_t>(text.size(), std::max(span.begin, span.end) - line_start);
  std::string masked;
  if (may_hold_keys(text_)) {
    const bool is_parsed = root_.span.end > 0;
    // Where a text is no JSON, the marked value is not what is wrong.
    masked = is_parsed ? without_values(text, span.begin - line_start, marked_end)
                       : without_values(text, 0, 0);
    text = masked;
  }
  std::vector<std::string_view> shown = characters(text);
  std::size_t first = place.column - 1;
  std::size_t last = characters(text.substr(0, marked_end)).size();

  if (shown.size() > widest_line) {
    const std::size_t latest_cut = shown.size() - widest_line;
    const std::size_t cut =
        first < shown_before_caret ? 0 : std::min(first - shown_before_caret, latest_cut);
    shown = {shown.begin() + static_cast<std::ptrdiff_t>(cut),
             shown.begin() + static_cast<std::ptrdiff_t>(cut + widest_line)};
    if (cut > 0) shown.front() = ellipsis;
    if (cut < latest_cut) shown.back() = ellipsis;
    first -= cut;
    last = std::min(last - std::min(last, cut), widest_line);
  }
  std::string source;
  std::string marks;
  for (const std::string_view character : shown) source += printable(character);
  for (std::size_t i = 0; i < first; ++i)
    marks += i < shown.size() && shown[i] == "\t" ? '\t' : ' ';
  marks.append(last > first ? last - first : 1, '^');
  if (!note.empty()) marks += fmt::format(" {}", note);

  const std::string number = std::to_string(place.line);
  const std::string margin(number.size(), ' ');
  return fmt::format("{0}--> {1}:{2}:{3}\n{0} |\n{2} |{4}{5}\n{0} | {6}\n", margin, name_, number,
                     place.column, source.empty() ? "" : " ", source, marks);
}

std::string Document::excerpt_unseen(Span span, std::string_view note) const {
  const Position place = position(span.begin);
  const std::string margin(std::to_string(place.line).size(), ' ');
  std::string text = fmt::format("{}--> {}:{}:{}\n", margin, name_, place.line, place.column);
  if (!note.empty()) text += fmt::format("{} | {}\n", margin, note);
  return text;
}

void Problems::add_unseen(const Document& document, Span span, std::string message,
                          std::string note) {
  errors_.push_back({ErrorKind::invalid, std::move(message), document.excerpt_unseen(span, note)});
}

void Problems::add(const Document& document, Span span, std::string message, std::string note) {
  errors_.push_back({ErrorKind::invalid, std::move(message), document.excerpt(span, note)});
}

void Problems::add(const Node& node, std::string message, std::string note) {
  add(*node.document, node.span, std::move(message), std::move(note));
}

}  // namespace brownout
