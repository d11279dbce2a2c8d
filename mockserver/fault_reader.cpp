// The loader of a scenario's faults.

#include "mockserver/fault_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "mockserver/wire_point_reader.hpp"

namespace brownout::mock {
namespace {

constexpr std::int64_t most_first = 1'000'000'000;
constexpr double largest_multiple = 1'000'000;
constexpr std::uint16_t first_error_status = 400;
constexpr std::uint16_t last_error_status = 599;

// '*' stands for any run of characters. On a mismatch only the newest star needs another try.
bool matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::optional<std::size_t> star;
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star) {
      p = *star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t slash = text.find('/');
    parts.push_back(text.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    text.remove_prefix(slash + 1);
  }
}

// Whether an HTTP status and a body tell this failure, so that both can be chosen.
bool is_answer(OutcomeKind kind) {
  return error_shape(DialectId::openai, kind).status >= first_error_status;
}

// Resolves `provider[/model[/endpoint]]`.
class PatternReader {
 public:
  PatternReader(const Script& script, Problems& problems) : script_(script), problems_(problems) {}

  bool read(const Node& node, FaultSpec& fault) {
    if (!read_string(node, problems_, fault.on)) return false;
    std::vector<std::string_view> parts = split(fault.on);
    const auto empty = [](std::string_view part) { return part.empty(); };
    if (parts.size() > 3 || std::any_of(parts.begin(), parts.end(), empty)) {
      problems_.add(node, fmt::format("\"{}\" is not a pattern of models", fault.on),
                    "provider[/model[/endpoint]], each a name or *");
      return false;
    }
    parts.resize(3, "*");
    if (!matches(parts[2], chat)) {
      problems_.add(node, fmt::format("unknown endpoint \"{}\"", parts[2]),
                    expected_one_of(parts[2], {chat}));
      return false;
    }
    for (std::size_t i = 0; i < script_.models.size(); ++i) {
      const ModelSpec& model = script_.models[i];
      if (matches(parts[0], script_.providers[model.provider].name) &&
          matches(parts[1], model.name)) {
        fault.models.push_back(static_cast<ModelId>(i));
      }
    }
    if (!fault.models.empty()) return true;
    report_no_match(node, parts[0], parts[1]);
    return false;
  }

 private:
  static constexpr std::string_view chat = "chat";

  void report_no_match(const Node& node, std::string_view provider, std::string_view model) {
    std::vector<std::string_view> providers;
    bool found = false;
    for (const ProviderSpec& spec : script_.providers) {
      providers.emplace_back(spec.name);
      found = found || matches(provider, spec.name);
    }
    if (!found) {
      problems_.add(node, fmt::format("no provider of this scenario matches \"{}\"", provider),
                    expected_one_of(provider, providers));
      return;
    }
    std::vector<std::string_view> models;
    for (const ModelSpec& spec : script_.models) {
      if (matches(provider, script_.providers[spec.provider].name)) models.emplace_back(spec.name);
    }
    problems_.add(node, fmt::format("no model of {} matches \"{}\"", provider, model),
                  expected_one_of(model, models));
  }

  const Script& script_;
  Problems& problems_;
};

// One object of `faults`.
class FaultReader {
 public:
  FaultReader(const Node& node, const Script& script, Problems& problems)
      : node_(node), script_(script), problems_(problems), object_(node, problems) {}

  FaultSpec read() {
    object_.required(
        "on", [&](const Node& value) { PatternReader(script_, problems_).read(value, fault_); });
    read_effect();
    read_trigger();
    read_answer();
    read_after_share();
    read_at();
    read_after_limits();
    object_.finish();
    complete_sequence();
    return std::move(fault_);
  }

 private:
  void refuse(const Node& node, std::string message, std::string note = {}) {
    problems_.add(node, std::move(message), std::move(note));
  }

  void read_effect() {
    const Node* chosen = nullptr;
    std::string_view chosen_key;
    for (const std::string_view key : effects) {
      const Node* value = object_.optional(key);
      if (value == nullptr) continue;
      if (chosen != nullptr) {
        refuse(*value, fmt::format("a fault is either \"{}\" or \"{}\"", chosen_key, key),
               "make two faults of it");
        continue;
      }
      chosen = value;
      chosen_key = key;
    }
    if (chosen == nullptr) {
      if (node_.type == Node::Type::object) {
        refuse(node_, "this fault does nothing",
               fmt::format("add one of: {}", fmt::join(effects, ", ")));
      }
      return;
    }
    if (chosen_key == "error") {
      is_error_ = read_kind(*chosen, fault_.kind);
    } else if (chosen_key == "outage") {
      read_true(*chosen, FaultEffect::outage);
    } else if (chosen_key == "unreachable") {
      read_true(*chosen, FaultEffect::unreachable);
    } else if (chosen_key == "hang") {
      read_true(*chosen, FaultEffect::hang);
    } else if (chosen_key == "latency") {
      read_latency(*chosen);
    } else if (chosen_key == "wire") {
      read_wire(*chosen, fault_);
    } else {
      read_sequence(*chosen);
    }
  }

  bool read_kind(const Node& node, OutcomeKind& out) {
    if (node.type == Node::Type::string && node.text == to_string(OutcomeKind::timed_out)) {
      refuse(node, "a provider cannot cause \"timed_out\"",
             "for one that never answers: \"hang\": true");
      return false;
    }
    std::size_t word = 0;
    if (!read_word(node, problems_, provider_failures(), word)) return false;
    out = *parse_outcome_kind(provider_failures()[word]);
    return true;
  }

  void read_true(const Node& node, FaultEffect effect) {
    fault_.effect = effect;
    bool value = false;
    if (read_bool(node, problems_, value) && !value) {
      refuse(node, "this fault does nothing", "leave it out, or say true");
    }
  }

  void read_wire(const Node& node, FaultAction& action) {
    action.effect = FaultEffect::wire;
    std::size_t word = 0;
    if (!read_word(node, problems_, wire_words(), word)) return;
    action.wire = static_cast<WireWord>(word + 1);
    action.kind = OutcomeKind::success;
  }

  void read_latency(const Node& node) {
    fault_.effect = FaultEffect::latency;
    ObjectReader object(node, problems_);
    const bool adds = object.optional("add", [&](const Node& value) {
      read_distribution(value, problems_, Unit::duration, fault_.add);
    });
    const bool multiplies = object.optional("multiply", [&](const Node& value) {
      read_number(value, problems_, fault_.multiply, 0, largest_multiple);
    });
    object.finish();
    if (!adds && !multiplies && node.type == Node::Type::object) {
      refuse(node, "this latency changes nothing", "add one of: add, multiply");
    }
  }

  void read_sequence(const Node& node) {
    fault_.trigger = FaultTrigger::sequence;
    std::vector<std::string_view> words = provider_failures();
    words.insert(words.begin(), "success");
    const bool is_array = read_array(node, problems_, [&](const Node& item) {
      FaultAction action;
      if (item.type == Node::Type::object) {
        read_wire_entry(item, action);
      } else {
        std::size_t word = 0;
        if (!read_word(item, problems_, words, word)) return;
        action.kind = *parse_outcome_kind(words[word]);
      }
      fault_.sequence.push_back(action);
    });
    if (is_array && node.items.empty()) refuse(node, "a sequence needs at least one entry");
  }

  // {"wire": WORD, "at": POINT} among the outcomes of a sequence.
  void read_wire_entry(const Node& node, FaultAction& action) {
    ObjectReader object(node, problems_);
    object.required("wire", [&](const Node& value) { read_wire(value, action); });
    const Node* at = object.optional("at");
    object.finish();
    // An unknown word has been complained about already.
    if (at == nullptr || action.wire == WireWord::none) return;
    const std::uint8_t places = wire_rule(action.wire).places;
    if (places == 0) return refuse(*at, "\"at\" has no effect on this fault");
    WirePoint point;
    if (read_wire_point(*at, places, problems_, point)) action.at = point;
  }

  // What is said once for all entries.
  void complete_sequence() {
    for (FaultAction& action : fault_.sequence) {
      action.retry_after = fault_.retry_after;
      action.should_retry = fault_.should_retry;
      action.after_share = fault_.after_share;
    }
  }

  void read_trigger() {
    const bool sequence = fault_.trigger == FaultTrigger::sequence;
    share_node_ = object_.optional("share");
    const Node* first = object_.optional("first");
    const Node* repeat = object_.optional("repeat");
    if (repeat != nullptr && read_bool(*repeat, problems_, fault_.repeat) && !sequence) {
      refuse(*repeat, "\"repeat\" has no effect without \"sequence\"");
    }
    for (const Node* value : {share_node_, first}) {
      if (sequence && value != nullptr) {
        refuse(*value, "a sequence decides by itself which requests fail", "make two faults of it");
      }
    }
    if (share_node_ != nullptr) read_share(*share_node_);
    if (first == nullptr || sequence) return;
    if (share_node_ != nullptr) {
      refuse(*first, "a fault has either \"share\" or \"first\"", "make two faults of it");
      return;
    }
    fault_.trigger = FaultTrigger::first;
    read_integer(*first, problems_, fault_.first, 1, most_first);
  }

  bool read_fraction(const Node& node, std::int64_t& out) {
    double value = 0;
    if (!read_number(node, problems_, value, 0, 1)) return false;
    out = std::llround(value * static_cast<double>(billion));
    return true;
  }

  void read_share(const Node& node) {
    Share& share = fault_.share;
    if (node.type != Node::Type::object) {
      if (read_fraction(node, share.from)) share.to = share.from;
      return;
    }
    const std::vector<std::string_view> shapes{"ramp", "flap"};
    if (node.members.size() != 1) {
      refuse(node, "a share has exactly one shape", "a number, or one of: ramp, flap");
      return;
    }
    const Node::Member& shape = node.members.front();
    if (shape.key == "ramp") {
      read_ramp(shape.value);
    } else if (shape.key == "flap") {
      read_flap(shape.value);
    } else {
      problems_.add(*node.document, shape.key_span, "unknown share \"" + shape.key + "\"",
                    expected_one_of(shape.key, shapes));
    }
  }

  void read_ramp(const Node& node) {
    if (node.type != Node::Type::array || node.items.size() != 2) {
      refuse(node, "a ramp is a pair of shares", "[at the phase's beginning, at its end]");
      return;
    }
    fault_.share.shape = Share::Shape::ramp;
    read_fraction(node.items[0], fault_.share.from);
    read_fraction(node.items[1], fault_.share.to);
  }

  void read_flap(const Node& node) {
    Share& share = fault_.share;
    share.shape = Share::Shape::flap;
    share.on = share.off = Duration{1};
    ObjectReader object(node, problems_);
    object.required("on", [&](const Node& value) {
      read_duration(value, problems_, share.on, Duration{1}, longest_flap);
    });
    object.required("off", [&](const Node& value) {
      read_duration(value, problems_, share.off, Duration{1}, longest_flap);
    });
    object.optional("share", [&](const Node& value) { read_fraction(value, share.from); });
    object.finish();
    share.to = share.from;
  }

  void read_answer() {
    if (const Node* node = object_.optional("status")) {
      std::int64_t status = 0;
      if (!is_error_ || !is_answer(fault_.kind)) {
        refuse(*node, "\"status\" has no effect on this fault",
               "only errors that are answers have one");
      } else if (read_integer(*node, problems_, status, first_error_status, last_error_status)) {
        fault_.status = static_cast<std::uint16_t>(status);
      }
    }
    const bool answers = in_sequence(is_answer) || (is_error_ && is_answer(fault_.kind));
    const auto header = [&](std::string_view key) {
      const Node* node = object_.optional(key);
      if (node == nullptr || answers) return node;
      refuse(*node, fmt::format("\"{}\" has no effect on this fault", key),
             "only errors that are answers carry it");
      return static_cast<const Node*>(nullptr);
    };
    if (const Node* node = header("retry_after")) {
      Duration wait{};
      if (read_duration(*node, problems_, wait)) fault_.retry_after = wait;
    }
    if (const Node* node = header("should_retry")) {
      bool again = false;
      if (read_bool(*node, problems_, again)) fault_.should_retry = again;
    }
  }

  // Whether an entry of the sequence is such an error.
  template <typename Test>
  bool in_sequence(const Test& test) const {
    return std::any_of(fault_.sequence.begin(), fault_.sequence.end(),
                       [&](const FaultAction& action) { return test(action.kind); });
  }

  void read_after_share() {
    const Node* node = object_.optional("after_share");
    if (node == nullptr) return;
    const bool truncates =
        in_sequence([](OutcomeKind kind) { return kind == OutcomeKind::stream_truncated; });
    if (is_error_ && fault_.kind == OutcomeKind::connection) {
      refuse(*node, "a connection fails before the reply begins",
             "for a reply that breaks off: \"error\": \"stream_truncated\"");
      return;
    }
    const bool in_reply =
        fault_.wire != WireWord::none && wire_rule(fault_.wire).allows(WirePoint::Place::frames);
    if (!is_error_ && !truncates && !in_reply) {
      refuse(*node, "\"after_share\" has no effect on this fault");
      return;
    }
    fault_.mid_stream = is_error_ || in_reply;
    if (node->type == Node::Type::string) {
      std::size_t word = 0;
      read_word(*node, problems_, {"uniform"}, word);
      return;
    }
    std::int64_t after = 0;
    if (read_fraction(*node, after)) fault_.after_share = after;
  }

  // Where it happens: a place, or a count of what has left by then.
  void read_at() {
    const Node* node = object_.optional("at");
    if (node == nullptr) return;
    const bool wire = fault_.wire != WireWord::none;
    const bool breaks = is_error_ && fault_.kind != OutcomeKind::connection;
    if (!breaks && (!wire || wire_rule(fault_.wire).places == 0)) {
      // An unknown word has been complained about already.
      if (fault_.effect == FaultEffect::wire && !wire) return;
      if (is_error_) {
        refuse(*node, "a connection fails before the reply begins",
               "for one that breaks later: \"wire\": \"reset\"");
        return;
      }
      refuse(*node, "\"at\" has no effect on this fault");
      return;
    }
    WirePoint point;
    const std::uint8_t places = wire ? wire_rule(fault_.wire).places : error_places;
    if (!read_wire_point(*node, places, problems_, point)) return;
    if (fault_.mid_stream) {
      refuse(*node, "a fault has either \"after_share\" or \"at\"");
      return;
    }
    fault_.at = point;
    fault_.mid_stream = is_error_;
  }

  void read_after_limits() {
    const Node* node = object_.optional("after_limits");
    if (node == nullptr || !read_bool(*node, problems_, fault_.after_limits)) return;
    const bool refuses =
        fault_.wire == WireWord::refuse ||
        std::any_of(fault_.sequence.begin(), fault_.sequence.end(),
                    [](const FaultAction& action) { return action.wire == WireWord::refuse; });
    const bool applies =
        !refuses && (fault_.effect == FaultEffect::error || fault_.effect == FaultEffect::hang ||
                     fault_.effect == FaultEffect::wire);
    if (!fault_.after_limits || applies) return;
    refuse(*node, "\"after_limits\" has no effect on this fault",
           fault_.sequence.empty() ? "" : "a refused connection meets no limits");
  }

  static constexpr std::array<std::string_view, 7> effects{
      "error", "outage", "unreachable", "hang", "latency", "sequence", "wire"};
  // An error is an answer of its own until the headers of another have left.
  static constexpr std::uint8_t error_places =
      1U << static_cast<unsigned>(WirePoint::Place::after_headers) |
      1U << static_cast<unsigned>(WirePoint::Place::frames) |
      1U << static_cast<unsigned>(WirePoint::Place::time) |
      1U << static_cast<unsigned>(WirePoint::Place::final_frame);
  static constexpr Duration longest_flap = std::chrono::hours{24 * 365};

  const Node& node_;
  const Script& script_;
  Problems& problems_;
  ObjectReader object_;
  FaultSpec fault_;
  bool is_error_ = false;
  const Node* share_node_ = nullptr;
};

}  // namespace

FaultSpec read_fault(const Node& node, const Script& script, Problems& problems) {
  return FaultReader(node, script, problems).read();
}

}  // namespace brownout::mock
