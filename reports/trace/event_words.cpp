#include "reports/trace/event_words.hpp"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "engine/core/document_text.hpp"
#include "reports/text/numbers.hpp"

namespace brownout::reports {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view beginning = R"({"event":")";
constexpr std::string_view call_key = R"(,"call":)";

std::string clean(std::string_view text) {
  std::string result;
  for (const std::string_view character : characters(text)) result += printable(character);
  return result;
}

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string time_of_day(std::string_view ns) {
  const auto value = number(ns);
  return value ? clock_time(Instant{} + Duration{*value}) : "?";
}

std::string how_long(std::string_view from_ns, Instant until) {
  const auto from = number(from_ns);
  return from ? format_duration_short(until - (Instant{} + Duration{*from})) : "?";
}

// "… at gpt-4", or nothing.
std::string at_route(const LoggedEvent& event) {
  return event["route"].empty() ? "" : fmt::format(" at {}", event["route"]);
}

std::string of_hedge(const LoggedEvent& event) {
  const std::string_view copy = event["copy"];
  return copy.empty() || copy == "0" ? "" : fmt::format(" (hedge {})", copy);
}

std::string attempt(const LoggedEvent& event) {
  std::string text = fmt::format("attempt {}{}{} ends in {}", event["attempt"], of_hedge(event),
                                 at_route(event), event["outcome"]);
  const std::string_view status = event["status"];
  if (!status.empty() && status != "0" && status != "200") {
    text += fmt::format(" (status {})", status);
  }
  text += " after " + how_long(event["started_ns"], event.at);
  const auto hint = number(event["retry_after_ns"]);
  if (hint) text += ", to be asked again in " + format_duration_short(Duration{*hint});
  return text;
}

std::string wait(const LoggedEvent& event) {
  std::string why;
  if (event["reason"] == "retry") why = " to try again";
  if (event["reason"] == "quota") why = " for its share of a limit";
  if (event["reason"] == "route") why = " for a route";
  if (!event["cause"].empty()) why += fmt::format(" after {}", event["cause"]);
  return fmt::format("waits until {}{}{}{}", time_of_day(event["until_ns"]), why, at_route(event),
                     of_hedge(event));
}

std::string rejection(const LoggedEvent& event) {
  std::string text = fmt::format("is refused: {}", event["outcome"]);
  if (!event["breaker"].empty()) text += fmt::format(", by breaker {}", event["breaker"]);
  return text;
}

std::string end(const LoggedEvent& event) {
  std::string text = event["end"] == "failed"
                         ? fmt::format("fails with {}", event["outcome"])
                         : fmt::format("is answered ({}){}", event["served"], at_route(event));
  return text + fmt::format(" after {}, attempts: {}", how_long(event["started_ns"], event.at),
                            event["attempts"]);
}

std::string given_up(const LoggedEvent& event) {
  return fmt::format("is given up by {} after {}",
                     event["by"] == "caller" ? "its caller" : "the end of the run",
                     how_long(event["started_ns"], event.at));
}

// Every field but those told already.
std::string everything(const LoggedEvent& event) {
  std::string text = event.event;
  for (const LoggedEvent::Field& field : event.fields) {
    if (field.name == "event" || field.name == "at_ns" || field.name == "call") continue;
    text += fmt::format(" {}={}", field.name, field.value);
  }
  return text;
}

std::string what(const LoggedEvent& event) {
  if (event.event == "call_started") return "arrives";
  if (event.event == "lookup") return fmt::format("looks for a reply: {}", event["result"]);
  if (event.event == "attempt") return attempt(event);
  if (event.event == "wait") return wait(event);
  if (event.event == "hedge") {
    return fmt::format("begins hedge {}{}", event["number"], at_route(event));
  }
  if (event.event == "breaker") {
    return fmt::format("breaker {}: {} -> {}", event["breaker"], event["from"], event["to"]);
  }
  if (event.event == "rejection") return rejection(event);
  if (event.event == "call") return end(event);
  if (event.event == "given_up") return given_up(event);
  return everything(event);
}

}  // namespace

std::string_view LoggedEvent::operator[](std::string_view name) const {
  for (const Field& field : fields) {
    if (field.name == name && field.value != "null") return field.value;
  }
  return {};
}

bool looks_like_event(std::string_view line) {
  return line.starts_with(beginning) && line.ends_with('}');
}

std::optional<std::uint64_t> call_at_a_glance(std::string_view line) {
  const auto at = line.find(call_key);
  if (at == line.npos) return std::nullopt;
  const std::string_view rest = line.substr(at + call_key.size());
  std::uint64_t call = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), call);
  if (error != std::errc{}) return std::nullopt;
  return call;
}

std::string_view event_at_a_glance(std::string_view line) {
  const std::string_view rest = line.substr(beginning.size());
  return rest.substr(0, rest.find('"'));
}

std::optional<LoggedEvent> read_event(const std::string& line) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  LoggedEvent event;
  for (const auto& [name, value] : json.items()) {
    const std::string text = value.is_string()
                                 ? value.get<std::string>()
                                 : value.dump(-1, ' ', false, Json::error_handler_t::replace);
    event.fields.push_back({clean(name), clean(text)});
  }
  event.event = event["event"];
  const auto at = number(event["at_ns"]);
  if (event.event.empty() || !at || *at < 0) return std::nullopt;
  event.at = Instant{} + Duration{*at};
  const auto call = number(event["call"]);
  if (call) event.call = static_cast<std::uint64_t>(*call);
  return event;
}

std::string in_words(const LoggedEvent& event) {
  return event.call ? fmt::format("call {}  {}", *event.call, what(event)) : what(event);
}

}  // namespace brownout::reports
