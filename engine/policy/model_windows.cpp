#include "engine/policy/model_windows.hpp"

#include <array>

namespace brownout {
namespace {

struct ModelWindow {
  std::string_view name;
  std::uint32_t tokens;
};

// Collected in November 2026 from texts that cite the vendors: OpenAI's model pages
// (platform.openai.com/docs/models, where the window is "inclusive of both input, output, and
// reasoning tokens") and Anthropic's page "Context windows" (platform.claude.com). Only the entries
// for claude-opus-4-6 and claude-sonnet-5 were read there; where sources disagree (claude-sonnet-4
// and 4-5: 200k or 1M) the smaller number stands. A window in the policy file overrides these. A
// generation whose later members may differ is listed member by member.
constexpr std::array known{
    ModelWindow{"gpt-3.5-turbo", 16'385},
    ModelWindow{"gpt-3.5-turbo-instruct", 4'096},
    ModelWindow{"gpt-4", 8'192},
    ModelWindow{"gpt-4-32k", 32'768},
    ModelWindow{"gpt-4-0125-preview", 128'000},
    ModelWindow{"gpt-4-1106-preview", 128'000},
    ModelWindow{"gpt-4-turbo", 128'000},
    ModelWindow{"gpt-4o", 128'000},
    ModelWindow{"gpt-4.1", 1'047'576},
    ModelWindow{"gpt-5", 400'000},
    ModelWindow{"o3", 200'000},
    ModelWindow{"o3-mini", 200'000},
    ModelWindow{"claude-3", 200'000},
    ModelWindow{"claude-opus-4-1", 200'000},
    ModelWindow{"claude-opus-4-20250514", 200'000},
    ModelWindow{"claude-opus-4-5", 200'000},
    ModelWindow{"claude-opus-4-6", 1'000'000},
    ModelWindow{"claude-opus-4-7", 1'000'000},
    ModelWindow{"claude-opus-4-8", 1'000'000},
    ModelWindow{"claude-opus-5", 1'000'000},
    ModelWindow{"claude-sonnet-4-20250514", 200'000},
    ModelWindow{"claude-sonnet-4-5", 200'000},
    ModelWindow{"claude-sonnet-4-6", 1'000'000},
    ModelWindow{"claude-sonnet-5", 1'000'000},
    ModelWindow{"claude-haiku-4-5", 200'000},
};

bool begins(std::string_view model, std::string_view name) {
  if (!model.starts_with(name)) return false;
  return model.size() == name.size() ||
         std::string_view("-@:").find(model[name.size()]) != std::string_view::npos;
}

}  // namespace

std::uint32_t model_window(std::string_view target) {
  const std::string_view model = target.substr(target.find('/') + 1);
  ModelWindow best{"", 0};
  for (const ModelWindow& each : known) {
    if (each.name.size() > best.name.size() && begins(model, each.name)) best = each;
  }
  return best.tokens;
}

}  // namespace brownout
