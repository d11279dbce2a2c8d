#include <array>

#include "mockserver/wire/reply.hpp"

namespace brownout::mock::wire {
namespace {

struct Route {
  std::string_view method;
  std::string_view before_model;  ///< what precedes a model that the path names
  std::string_view end;
  Endpoint endpoint;
  bool stream;
};

// The first that fits: Azure's path ends like OpenAI's.
constexpr std::array routes{
    Route{"POST", "/openai/deployments/", "/chat/completions", Endpoint::azure_chat, false},
    Route{"POST", "", "/chat/completions", Endpoint::openai_chat, false},
    Route{"POST", "", "/responses", Endpoint::openai_responses, false},
    Route{"POST", "", "/messages", Endpoint::anthropic_messages, false},
    Route{"POST", "/models/", ":generateContent", Endpoint::gemini_generate, false},
    Route{"POST", "/models/", ":streamGenerateContent", Endpoint::gemini_generate, true},
    Route{"GET", "", "/models", Endpoint::models, false},
};

}  // namespace

bool find_target(std::string_view method, std::string_view path, Target& target) {
  for (const Route& route : routes) {
    if (method != route.method || !path.ends_with(route.end)) continue;
    std::string_view model;
    if (!route.before_model.empty()) {
      const std::size_t at = path.rfind(route.before_model);
      if (at == std::string_view::npos) continue;
      model = path.substr(at + route.before_model.size());
      model.remove_suffix(std::min(model.size(), route.end.size()));
      if (model.empty() || model.find('/') != std::string_view::npos) continue;
    }
    target = {.endpoint = route.endpoint, .model = model, .stream = route.stream};
    return true;
  }
  return false;
}

}  // namespace brownout::mock::wire
