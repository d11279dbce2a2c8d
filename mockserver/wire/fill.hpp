#pragma once

// Templates of bodies, frames and headers: text in which `$name` stands for a value.

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace brownout::mock::wire {

/// Values by name; names consist of a-z and _.
class Values {
 public:
  void set(std::string_view name, std::string value);
  void set(std::string_view name, std::uint64_t value);
  const std::string* find(std::string_view name) const;

 private:
  std::vector<std::pair<std::string_view, std::string>> values_;
};

/// `text` with its placeholders replaced, appended to `out`. Names without a value stay as they
/// are, for a later filling. Values are not looked into.
void fill(std::string_view text, const Values& values, std::string& out);
std::string filled(std::string_view text, const Values& values);

/// As above, but nothing if a value is missing.
std::optional<std::string> filled_completely(std::string_view text, const Values& values);

/// `text` as it stands between the quotes of a JSON string, with '$' escaped, so that no
/// placeholder can come in with it. Requires: valid UTF-8.
std::string json_escaped(std::string_view text);

/// A template with the two placeholders that differ from one delta to the next, cut up once.
class DeltaTemplate {
 public:
  DeltaTemplate() = default;
  /// `text` may hold "$text" and "$sequence", in any order, each at most once.
  explicit DeltaTemplate(std::string_view text);

  void append(std::string_view text, std::uint64_t sequence, std::string& out) const;

 private:
  struct Part {
    std::string before;
    enum class Then : std::uint8_t { end, text, sequence } then = Then::end;
  };
  std::vector<Part> parts_;
};

}  // namespace brownout::mock::wire
