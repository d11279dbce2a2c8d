#include "cli/input_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "engine/core/document.hpp"

namespace brownout::cli {
namespace {

namespace fs = std::filesystem;

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

void expand_folder(const fs::path& folder, const std::vector<FileKind>& kinds,
                   std::vector<std::string>& files, Errors& errors) {
  std::vector<std::string> found;
  std::error_code failure;
  for (fs::recursive_directory_iterator item(folder, failure), end; !failure && item != end;
       item.increment(failure)) {
    if (is_file(item->path()) && item->path().extension() == ".json") {
      found.push_back(item->path().lexically_normal().string());
    }
  }
  if (failure) {
    errors.push_back({ErrorKind::environment,
                      "cannot read folder " + folder.string() + ": " + failure.message(),
                      {}});
  }
  std::ranges::sort(found);
  for (std::string& file : found) {
    const auto kind = kind_of(file);
    if (!kind) {
      errors.insert(errors.end(), kind.error().begin(), kind.error().end());
    } else if (std::ranges::find(kinds, *kind) != kinds.end()) {
      files.push_back(std::move(file));
    }
  }
}

// Names are written into lines that others read: consoles, annotations, tables.
bool has_control_character(const std::string& path) {
  return std::ranges::any_of(path, [](char c) { return (c >= 0 && c < ' ') || c == 127; });
}

// One file under several spellings is one file. What cannot be looked up stays; reading it will say
// why.
void drop_repeated(std::vector<std::string>& files) {
  std::set<std::string> seen;
  std::erase_if(files, [&](const std::string& file) {
    std::error_code failure;
    const fs::path canonical = fs::canonical(file, failure);
    return !failure && fs::is_regular_file(canonical) && !seen.insert(canonical.string()).second;
  });
}

}  // namespace

Result<FileKind> kind_of(const std::string& path) {
  const auto document = Document::load(path);
  if (!document) return tl::unexpected(document.error());
  const Node& root = (*document)->root();
  const Node* kind = root.type == Node::Type::object ? root.find("kind") : nullptr;
  if (kind == nullptr || kind->type != Node::Type::string) return FileKind::other;
  if (kind->text == "scenario") return FileKind::scenario;
  if (kind->text == "connections") return FileKind::connections;
  return kind->text == "policy" ? FileKind::policy : FileKind::other;
}

Result<std::vector<sim::Binding>> parse_bindings(const std::vector<std::string>& texts) {
  std::vector<sim::Binding> bindings;
  for (const std::string& text : texts) {
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
      return fail(ErrorKind::invalid, "--bind " + text + ": expected ROUTE=PROVIDER/MODEL");
    }
    bindings.push_back({text.substr(0, equals), text.substr(equals + 1)});
  }
  return bindings;
}

Result<std::vector<std::string>> expand(const std::vector<std::string>& paths,
                                        const std::vector<FileKind>& kinds) {
  std::vector<std::string> files;
  Errors errors;
  for (const std::string& path : paths) {
    if (is_folder(path)) {
      expand_folder(path, kinds, files, errors);
    } else {
      files.push_back(path);
    }
  }
  for (const std::string& file : files) {
    if (!has_control_character(file)) continue;
    errors.push_back({ErrorKind::invalid,
                      fmt::format("{:?}: a file's name may not hold control characters", file),
                      {}});
  }
  if (!errors.empty()) return tl::unexpected(std::move(errors));
  drop_repeated(files);
  return files;
}

Result<Policy> load_policy_of(const sim::Scenario& scenario) {
  auto policy = load_policy(scenario.policy_path);
  if (policy) return policy;
  Errors errors = std::move(policy.error());
  for (Error& error : errors) {
    if (!error.excerpt.empty()) continue;
    const Node& place = *scenario.document->root().find("policy");
    error.excerpt = scenario.document->excerpt(place.span, "the path begins at this file's folder");
  }
  return tl::unexpected(std::move(errors));
}

}  // namespace brownout::cli
