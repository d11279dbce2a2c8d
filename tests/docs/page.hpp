#pragma once

// Pages of documentation, seen as blocks that claim something: what stands in a fenced block, and
// the comment above it that says how to check it.

#include <string>
#include <vector>

namespace brownout::docs {

/// A fenced block.
struct Block {
  std::string language;
  std::string check;  ///< what `<!-- … -->` on the line above says; empty without one
  std::string text;   ///< its lines, each with its end
  std::size_t line = 0;
};

/// A table under a comment that begins with "options:".
struct OptionsTable {
  std::string of;                              ///< what follows "options:"
  std::vector<std::vector<std::string>> rows;  ///< without the header; cells trimmed
};

/// *Ownership*: a value; changed blocks are written with save().
class Page {
 public:
  explicit Page(std::string path);

  const std::string& path() const { return path_; }
  const std::string& text() const { return text_; }
  std::vector<Block> blocks() const;
  std::vector<OptionsTable> options() const;
  std::vector<std::string> headings() const;  ///< of the second level

  /// Puts `text` into the block that begins at `line`.
  void replace(std::size_t line, const std::string& text);
  /// Puts `text` behind the first `mark`, instead of all that follows it there.
  void replace_from(const std::string& mark, const std::string& text);
  void save() const;

 private:
  std::vector<std::string> lines() const;

  std::string path_;
  std::string text_;
};

/// The pages about policies, the index included, in order of their names; those about policies
/// of others are not among them.
std::vector<Page> policy_pages();

/// Whether blocks are to be written instead of compared (UPDATE_GOLDEN=1).
bool updating();

}  // namespace brownout::docs
