#pragma once

// Strict JSON with a memory for places: every value and key knows where in its file it stands, so
// that whoever refuses it can point there.
//
// A loader walks the tree with ObjectReader, converting as it goes and adding a Problem for
// everything that is wrong; it never stops at the first. What the loader did not ask for is an
// error as well (unknown key, with the nearest valid spelling).
//
// *Ownership*: a Node refers to its Document, which must outlive it. *Threads*: immutable once
// parsed.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"
#include "engine/core/time.hpp"

namespace brownout {

/// A half-open range of bytes in a document.
struct Span {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

class Document;

/// One JSON value.
struct Node {
  enum class Type : std::uint8_t { null, boolean, number, string, array, object };
  struct Member;

  Type type = Type::null;
  Span span;                    ///< the value, quotes and brackets included
  bool boolean = false;         ///< for boolean
  double number = 0;            ///< for number: the nearest double; `text` is exact
  std::string text;             ///< for string: the decoded text; for number: as spelled
  std::vector<Node> items;      ///< for array
  std::vector<Member> members;  ///< for object, in file order; keys are unique
  const Document* document = nullptr;

  const Node* find(std::string_view key) const;
};

struct Node::Member {
  std::string key;
  Span key_span;
  Node value;
};

/// "an object", "a string", …: how error messages name what they found.
std::string_view describe(Node::Type type);

/// A file's text and its parsed tree.
class Document {
 public:
  Document(const Document&) = delete;
  Document& operator=(const Document&) = delete;

  /// Reads and parses a file. Errors: environment when it cannot be read; invalid, with line and
  /// caret, when it is not JSON, not UTF-8, has a duplicate key, nests deeper than 64, or is larger
  /// than 16 MiB. Comments, trailing commas and numbers a double cannot hold are errors. All
  /// duplicate keys are reported, up to the first syntax error.
  static Result<std::unique_ptr<Document>> load(const std::string& path);

  /// The same for text in memory; `name` stands for the path in messages.
  static Result<std::unique_ptr<Document>> parse(std::string name, std::string text);

  const std::string& name() const { return name_; }
  const std::string& text() const { return text_; }
  const Node& root() const { return root_; }

  /// 1-based; columns count UTF-8 characters.
  struct Position {
    std::uint32_t line = 1;
    std::uint32_t column = 1;
  };
  Position position(std::uint32_t offset) const;

  /// The excerpt of an error at `span`:
  ///
  ///       --> scenarios/outage.json:12:9
  ///        |
  ///     12 |         "ttfs": "640ms",
  ///        |         ^^^^^^ did you mean "ttft"?
  ///
  /// `note` follows the caret; a span over several lines is marked on its first. Tabs are kept;
  /// lines over 100 characters are cut around the caret. What a terminal might obey (control
  /// characters, bytes that are not UTF-8) is shown as U+FFFD. Of a file in which keys may stand
  /// (may_hold_keys() in document_text.hpp) no other value than the marked one is shown, and none
  /// at all when it is not JSON. Ends with a newline.
  std::string excerpt(Span span, std::string_view note) const;

  /// The same without the line.
  std::string excerpt_unseen(Span span, std::string_view note) const;

 private:
  friend class DocumentParser;
  Document(std::string name, std::string text);
  std::string_view line(std::uint32_t number) const;  // 1-based, without its end

  std::string name_;
  std::string text_;
  std::vector<std::uint32_t> line_starts_;
  Node root_;
};

/// Collects what a loader finds wrong.
class Problems {
 public:
  /// `message` is one sentence without a full stop; `note` stands beside the caret and says what
  /// was expected or the nearest valid spelling.
  void add(const Document& document, Span span, std::string message, std::string note = {});
  void add(const Node& node, std::string message, std::string note = {});

  /// The same where the line must not be shown, because it may hold a secret.
  void add_unseen(const Document& document, Span span, std::string message, std::string note = {});

  bool empty() const { return errors_.empty(); }
  std::size_t size() const { return errors_.size(); }
  Errors take() { return std::move(errors_); }

 private:
  Errors errors_;
};

/// The candidate closest to `text`, if it is close enough to be a plausible slip (at most a third
/// of the longer one's letters changed, swapped, added or dropped; upper and lower case count as
/// one). The first of several equally close.
std::optional<std::string_view> nearest(std::string_view text,
                                        const std::vector<std::string_view>& candidates);

/// "did you mean "x"?" when one candidate is near, else "expected one of: a, b, c" (of one:
/// "expected "a""); empty when there are no candidates.
std::string expected_one_of(std::string_view text, const std::vector<std::string_view>& candidates);

/// Reads the members of one object. Keys that are missing, and keys that were not asked for by the
/// time finish() is called, become problems then.
///
///     ObjectReader object(node, problems);
///     object.required("name", [&](const Node& value) { read_string(value, problems, name); });
///     object.optional("seed", [&](const Node& value) { read_integer(value, problems, seed, 0,
///     max); }); object.finish();
class ObjectReader {
 public:
  /// A node that is no object becomes a problem; the reader then finds no members.
  ObjectReader(const Node& node, Problems& problems);

  /// The member's value or null; either way `key` is now known and will not be reported.
  const Node* optional(std::string_view key);
  /// The same, and finish() makes a problem of it when the key is absent.
  const Node* required(std::string_view key);

  template <class Function>
  bool optional(std::string_view key, Function read) {
    const Node* value = optional(key);
    if (value != nullptr) read(*value);
    return value != nullptr;
  }
  template <class Function>
  bool required(std::string_view key, Function read) {
    const Node* value = required(key);
    if (value != nullptr) read(*value);
    return value != nullptr;
  }

  /// Reports every required key that is missing, and every key nobody asked for, with the nearest
  /// one that was and is not there yet. A missing key that is there misspelt is reported once.
  /// "$schema" and "description" are not special: loaders that allow them ask for them.
  void finish();

 private:
  const Node& node_;
  Problems& problems_;
  std::vector<std::string_view> known_;
  std::vector<std::string_view> missing_;
};

// Converters: true and `out` set when the node holds such a value, else a problem and false.

bool read_string(const Node& node, Problems& problems, std::string& out);
bool read_bool(const Node& node, Problems& problems, bool& out);

/// A whole number without exponent or fraction in [low, high].
bool read_integer(const Node& node, Problems& problems, std::int64_t& out, std::int64_t low,
                  std::int64_t high);

/// Any JSON number in [low, high].
bool read_number(const Node& node, Problems& problems, double& out, double low, double high);

/// A string such as "250ms"; a bare number is refused with the unit it might have meant. In
/// [low, high].
bool read_duration(const Node& node, Problems& problems, Duration& out, Duration low = Duration{0},
                   Duration high = forever);

/// A name people choose, fit for labels, file names and the command line: letters, digits, '.', '-'
/// and '_'.
bool read_name(const Node& node, Problems& problems, std::string& out);

/// What every file begins with: "$schema", "kind" and "version". False when the file is of another
/// kind or version: whatever else it says would only be misunderstood then.
bool read_header(const Node& root, ObjectReader& object, Problems& problems, std::string_view kind);

/// An array whose items are read one by one by `read(const Node&)`.
template <class Function>
bool read_array(const Node& node, Problems& problems, Function read) {
  if (node.type != Node::Type::array) {
    problems.add(node, "expected an array but found " + std::string(describe(node.type)));
    return false;
  }
  for (const Node& item : node.items) read(item);
  return true;
}

/// One of a fixed set of words; the index into `words` goes to `out`.
bool read_word(const Node& node, Problems& problems, const std::vector<std::string_view>& words,
               std::size_t& out);

}  // namespace brownout
