#include "mockserver/script.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/core/check.hpp"

namespace brownout::mock {
namespace {

constexpr std::int64_t largest_limit = 1'000'000'000'000;
constexpr std::int64_t largest_concurrency = 10'000'000;
constexpr double largest_price = 100'000;  // dollars per million tokens
constexpr double picodollars = 1e6;        // per token, for one dollar per million
constexpr std::size_t most_models = 10'000;

// A share as people write it: "0.97".
std::string decimal(std::int64_t billionths) {
  return fmt::format("{}", static_cast<double>(billionths) / static_cast<double>(billion));
}

}  // namespace

std::int64_t Share::at(Duration elapsed, Duration phase_length) const {
  switch (shape) {
    case Shape::constant:
      return from;
    case Shape::ramp: {
      if (elapsed <= Duration{0}) return from;
      if (elapsed >= phase_length) return to;
      const double part =
          static_cast<double>(elapsed.count()) / static_cast<double>(phase_length.count());
      return from + std::llround(static_cast<double>(to - from) * part);
    }
    case Shape::flap: {
      if (elapsed <= Duration{0}) return from;
      return elapsed % (on + off) < on ? from : 0;
    }
  }
  return 0;
}

std::string Share::to_string() const {
  switch (shape) {
    case Shape::constant:
      return decimal(from);
    case Shape::ramp:
      return fmt::format("ramp {} to {}", decimal(from), decimal(to));
    case Shape::flap:
      return fmt::format("{} flapping {} on, {} off", decimal(from), format_duration(on),
                         format_duration(off));
  }
  return {};
}

const FaultAction* FaultSpec::entry(std::int64_t n) const {
  BROWNOUT_CHECK(trigger == FaultTrigger::sequence && n >= 0);
  const auto size = static_cast<std::int64_t>(sequence.size());
  if (n >= size && !repeat) return nullptr;
  return &sequence[static_cast<std::size_t>(n % size)];
}

bool FaultSpec::affects(ModelId model) const {
  return std::binary_search(models.begin(), models.end(), model);
}

std::string FaultSpec::to_string() const {
  std::string text;
  if (trigger == FaultTrigger::sequence) {
    text = "sequence";
  } else {
    switch (effect) {
      case FaultEffect::error:
        text = brownout::to_string(kind);
        break;
      case FaultEffect::outage:
        text = "outage";
        break;
      case FaultEffect::unreachable:
        text = "unreachable";
        break;
      case FaultEffect::hang:
        text = "hang";
        break;
      case FaultEffect::latency:
        text = "latency";
        break;
      case FaultEffect::wire:
        text = brownout::mock::to_string(wire);
        break;
    }
  }
  text += " on " + on;
  if (at) text += ", at " + at->to_string();
  if (effect == FaultEffect::latency) {
    if (add.mean() > 0) text += ", add " + add.to_string();
    if (multiply != 1) text += fmt::format(", multiply {}", multiply);
  }
  switch (trigger) {
    case FaultTrigger::share:
      return text + ", share " + share.to_string();
    case FaultTrigger::first:
      return text + fmt::format(", first {}", first);
    case FaultTrigger::sequence:
      return text + fmt::format(", {} entries{}", sequence.size(), repeat ? " repeated" : "");
  }
  return text;
}

std::optional<ModelId> Script::find_model(std::string_view full_name) const {
  for (std::size_t i = 0; i < models.size(); ++i) {
    if (models[i].full_name == full_name) return static_cast<ModelId>(i);
  }
  return std::nullopt;
}

std::size_t Script::fault_count() const {
  return phases.empty() ? 0 : phases.back().first_fault + phases.back().faults.size();
}

const PhaseSpec& Script::phase_of(FaultId id) const {
  BROWNOUT_CHECK(id < fault_count());
  return *std::find_if(phases.begin(), phases.end(), [id](const PhaseSpec& phase) {
    return id < phase.first_fault + phase.faults.size();
  });
}

const FaultSpec& Script::fault(FaultId id) const {
  const PhaseSpec& phase = phase_of(id);
  return phase.faults[static_cast<std::size_t>(id - phase.first_fault)];
}

namespace {

// Walks `providers`; one member function per object of the file.
class ProvidersReader {
 public:
  ProvidersReader(Problems& problems, Script& script) : problems_(problems), script_(script) {}

  void read(const Node& node) {
    if (node.type != Node::Type::object) {
      problems_.add(node, fmt::format("expected an object but found {}", describe(node.type)),
                    "provider names and what they offer");
      return;
    }
    if (node.members.empty()) problems_.add(node, "a scenario needs at least one provider");
    for (const Node::Member& member : node.members) read_provider(member);
  }

 private:
  // Names become parts of patterns ("openai/*") and of metric labels.
  bool check_name(const Node::Member& member, std::string_view what) {
    const auto allowed = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             std::string_view("._-:@+").find(c) != std::string_view::npos;
    };
    if (!member.key.empty() && std::all_of(member.key.begin(), member.key.end(), allowed)) {
      return true;
    }
    problems_.add(*member.value.document, member.key_span,
                  fmt::format("\"{}\" cannot be the name of a {}", member.key, what),
                  "letters, digits and . _ - : @ +");
    return false;
  }

  void read_provider(const Node::Member& member) {
    check_name(member, "provider");
    ProviderSpec provider{.name = member.key};
    known_dialect_ = false;
    ObjectReader object(member.value, problems_);
    object.required("dialect", [&](const Node& value) {
      std::size_t word = 0;
      if (read_word(value, problems_, dialect_names(), word)) {
        provider.dialect = static_cast<DialectId>(word);
        known_dialect_ = true;
      }
    });
    script_.providers.push_back(provider);
    object.required("models", [&](const Node& value) { read_models(value); });
    object.finish();
  }

  void read_models(const Node& node) {
    if (node.type != Node::Type::object) {
      problems_.add(node, fmt::format("expected an object but found {}", describe(node.type)),
                    "model names and how they behave");
      return;
    }
    if (node.members.empty()) problems_.add(node, "a provider needs at least one model");
    for (const Node::Member& member : node.members) {
      if (script_.models.size() == most_models) {
        problems_.add(*node.document, member.key_span,
                      fmt::format("a scenario has at most {} models", most_models));
        return;
      }
      read_model(member);
    }
  }

  void read_model(const Node::Member& member) {
    check_name(member, "model");
    const ProviderSpec& provider = script_.providers.back();
    ModelSpec& model = script_.models.emplace_back();
    model.name = member.key;
    model.full_name = provider.name + "/" + member.key;
    model.provider = static_cast<std::uint16_t>(script_.providers.size() - 1);
    model.dialect = provider.dialect;
    ObjectReader object(member.value, problems_);
    const auto read_duration_distribution = [&](Distribution& out) {
      return [&](const Node& value) { read_distribution(value, problems_, Unit::duration, out); };
    };
    object.required("ttft", read_duration_distribution(model.ttft));
    object.required("inter_token", read_duration_distribution(model.inter_token));
    object.optional("error_latency", read_duration_distribution(model.error_latency));
    object.optional("limits", [&](const Node& value) { read_limits(value, model); });
    object.optional("price", [&](const Node& value) { read_price(value, model.price); });
    object.finish();
  }

  void read_limits(const Node& node, ModelSpec& model) {
    ModelLimits& limits = model.limits;
    ObjectReader object(node, problems_);
    read_limit(object, "rpm", largest_limit, limits.rpm);
    const bool openai = model.dialect == DialectId::openai;
    read_limit_of_dialect(object, "tpm", openai, "\"itpm\" and \"otpm\"", limits.tpm);
    read_limit_of_dialect(object, "itpm", !openai, "\"tpm\"", limits.itpm);
    read_limit_of_dialect(object, "otpm", !openai, "\"tpm\"", limits.otpm);
    read_limit(object, "concurrent", largest_concurrency, limits.concurrent);
    const Node* when_full = object.optional("when_full");
    if (when_full != nullptr) {
      std::size_t word = 0;
      if (read_word(*when_full, problems_, {"queue", "refuse"}, word)) {
        limits.when_full = static_cast<WhenFull>(word);
      }
    }
    const Node* queue = object.optional("queue");
    if (queue != nullptr) {
      std::int64_t length = 0;
      if (read_integer(*queue, problems_, length, 0, largest_concurrency)) limits.queue = length;
    }
    object.finish();
    if (node.find("concurrent") == nullptr) {
      for (const std::string_view key : {"when_full", "queue"}) {
        const Node* ignored = node.find(key);
        if (ignored == nullptr) continue;
        problems_.add(*ignored, fmt::format("\"{}\" has no effect without \"concurrent\"", key));
      }
    } else if (queue != nullptr && limits.when_full == WhenFull::refuse) {
      problems_.add(*queue, "\"queue\" has no effect when \"when_full\" is \"refuse\"");
    }
  }

  void read_limit(ObjectReader& object, std::string_view key, std::int64_t high,
                  std::optional<std::int64_t>& out) {
    object.optional(key, [&](const Node& value) {
      std::int64_t limit = 0;
      if (read_integer(value, problems_, limit, 1, high)) out = limit;
    });
  }

  void read_limit_of_dialect(ObjectReader& object, std::string_view key, bool applies,
                             std::string_view instead, std::optional<std::int64_t>& out) {
    const Node* value = object.optional(key);
    if (value == nullptr) return;
    if (known_dialect_ && !applies) {
      const std::string_view dialect = to_string(script_.providers.back().dialect);
      problems_.add(*value, fmt::format("\"{}\" is no limit of the {} dialect", key, dialect),
                    fmt::format("use {}", instead));
      return;
    }
    std::int64_t limit = 0;
    if (read_integer(*value, problems_, limit, 1, largest_limit)) out = limit;
  }

  void read_price(const Node& node, Price& price) {
    ObjectReader object(node, problems_);
    const auto read_dollars = [&](std::int64_t& out) {
      return [&](const Node& value) {
        double dollars = 0;
        if (read_number(value, problems_, dollars, 0, largest_price)) {
          out = std::llround(dollars * picodollars);
        }
      };
    };
    object.required("input_per_million", read_dollars(price.input));
    object.required("output_per_million", read_dollars(price.output));
    object.finish();
  }

  Problems& problems_;
  Script& script_;
  bool known_dialect_ = false;
};

}  // namespace

bool read_providers(const Node& node, Problems& problems, Script& script) {
  const std::size_t before = problems.size();
  ProvidersReader(problems, script).read(node);
  return problems.size() == before;
}

}  // namespace brownout::mock
