#include "mockserver/http/admin.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "engine/core/document.hpp"

namespace brownout::mock::http {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view prefix = "/__brownout/";
const std::string inject_form = R"({"fault": {…}, "for": "30s"})";
// Nothing that is asked for nests so deep, and the library copies what it has read so far at every
// level.
constexpr int deepest = 20;

AdminReply told(const Json& json, std::uint16_t status = 200) {
  return {.status = status,
          .body = json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"};
}

AdminReply refused(std::uint16_t status, std::string message) {
  Json error;
  error["error"]["message"] = std::move(message);
  return told(error, status);
}

std::int64_t nanoseconds(Instant at) {
  return (at - Instant{}).count();
}

class Admin {
 public:
  Admin(const RequestHead& head, std::string_view body, Session& session, const ServerState& state,
        Duration real)
      : head_(head), text_(body), session_(session), state_(state), real_(real) {}

  AdminReply answer() {
    const std::string_view path = head_.path;
    const std::string_view what = is_admin(path) ? path.substr(prefix.size()) : "";
    for (const Resource& resource : resources) {
      if (resource.name != what && !(resource.has_number && what.starts_with(resource.name))) {
        continue;
      }
      rest_ = what.substr(resource.name.size());
      if (resource.method != head_.method) continue;
      if (!read_body())
        return refused(400, "the body is not a JSON object, or one of too many levels");
      return (this->*resource.answer)();
    }
    std::string known;
    for (const Resource& resource : resources) {
      known += fmt::format("{}{} {}{}", known.empty() ? "" : ", ", resource.method, prefix,
                           resource.name);
    }
    return refused(404, "there is no " + head_.method + " " + head_.path + "; there are " + known);
  }

 private:
  struct Resource {
    std::string_view method;
    std::string_view name;
    AdminReply (Admin::*answer)();
    bool has_number = false;
  };
  static const std::array<Resource, 11> resources;

  bool read_body() {
    if (text_.empty()) return true;
    bool too_deep = false;
    const auto keep = [&](int depth, Json::parse_event_t, Json&) {
      too_deep = too_deep || depth > deepest;
      return depth <= deepest;
    };
    body_ = Json::parse(text_, keep, false);
    return body_.is_object() && !too_deep;
  }

  const Json* member(const char* name) const {
    const auto found = body_.find(name);
    return body_.is_object() && found != body_.end() ? &*found : nullptr;
  }

  const PhaseSpec& phase() const { return session_.script().phases[session_.phase(real_)]; }

  Json phase_state() const {
    Json json;
    json["phase"] = phase().name;
    json["at"] = format_duration_short(session_.now(real_) - Instant{});
    json["at_ns"] = nanoseconds(session_.now(real_));
    return json;
  }

  AdminReply state() {
    Json json;
    json["scenario"] = state_.scenario;
    json["test"] = session_.test();
    json.update(phase_state());
    json["speed"] = session_.speed();
    json["seed"] = session_.seed();
    json["requests"] = session_.requests();
    json["under_way"] = session_.under_way();
    json["calls"] = session_.correlator().calls();
    json["attempts"] = session_.correlator().attempts();
    json["models"] = models();
    json["faults"] = script_faults();
    json["injected"] = injected();
    json["server"] = {{"connections", state_.connections},  {"accepted", state_.counts.connections},
                      {"requests", state_.counts.requests}, {"shed", state_.counts.shed},
                      {"evicted", state_.counts.evicted},   {"malformed", state_.counts.malformed},
                      {"sessions", state_.sessions},        {"refusing", state_.is_refusing}};
    return told(json);
  }

  Json models() const {
    Json list = Json::array();
    const ScriptedProvider& provider = session_.provider();
    for (std::size_t i = 0; i < session_.script().models.size(); ++i) {
      const auto model = static_cast<ModelId>(i);
      Json json;
      json["model"] = session_.script().models[i].full_name;
      json["running"] = provider.running(model);
      json["queued"] = provider.queued(model);
      Json buckets = Json::object();
      constexpr std::array<std::pair<LimitKind, const char*>, 4> kinds{
          {{LimitKind::requests, "requests"},
           {LimitKind::tokens, "tokens"},
           {LimitKind::input_tokens, "input_tokens"},
           {LimitKind::output_tokens, "output_tokens"}}};
      for (const auto& [kind, name] : kinds) {
        const Bucket* bucket = provider.bucket(model, kind);
        if (bucket == nullptr) continue;
        // A bucket may be ahead of the clock by what was told to it last.
        buckets[name] = {{"limit", bucket->limit()},
                         {"remaining", bucket->remaining(session_.now(real_))}};
      }
      json["buckets"] = buckets;
      list.push_back(std::move(json));
    }
    return list;
  }

  Json script_faults() const {
    Json list = Json::array();
    const Script& script = session_.script();
    for (std::size_t i = 0; i < script.fault_count(); ++i) {
      const auto fault = static_cast<FaultId>(i);
      const FaultCount& count = session_.provider().count(fault);
      list.push_back({{"phase", script.phase_of(fault).name},
                      {"fault", script.fault(fault).to_string()},
                      {"matched", count.matched},
                      {"asked", count.asked()},
                      {"injected", count.injected}});
    }
    return list;
  }

  Json injected() {
    Json list = Json::array();
    for (const Session::Injected& one : session_.injected(real_)) {
      list.push_back({{"number", one.number},
                      {"fault", one.fault},
                      {"until_ns", nanoseconds(one.until)},
                      {"matched", one.count.matched},
                      {"injected", one.count.injected}});
    }
    return list;
  }

  AdminReply get_phase() { return told(phase_state()); }

  AdminReply set_phase() {
    const Json* name = member("phase");
    std::vector<std::string_view> names;
    for (const PhaseSpec& phase : session_.script().phases) names.push_back(phase.name);
    if (name == nullptr || !name->is_string()) {
      return refused(
          400, fmt::format(R"(expected {{"phase": NAME}}, NAME {})", expected_one_of("", names)));
    }
    const auto wanted = name->get<std::string>();
    const auto found = std::ranges::find(names, wanted);
    if (found == names.end()) {
      return refused(
          400, fmt::format("there is no phase \"{}\": {}", wanted, expected_one_of(wanted, names)));
    }
    session_.set_phase(static_cast<std::size_t>(found - names.begin()), real_);
    return get_phase();
  }

  AdminReply get_faults() { return told({{"injected", injected()}}); }

  AdminReply inject() {
    const Json* fault = member("fault");
    const Json* lasts = member("for");
    if (fault == nullptr || !fault->is_object()) {
      return refused(400, R"("fault": expected an object as in a timeline: )" + inject_form);
    }
    const auto duration = lasts != nullptr && lasts->is_string()
                              ? parse_duration(lasts->get<std::string>())
                              : std::nullopt;
    if (!duration || *duration <= Duration{0}) {
      return refused(
          400, R"("for": expected a duration in scenario time, such as "30s": )" + inject_form);
    }
    const auto number = session_.inject(fault->dump(2), *duration, real_);
    if (!number) {
      std::string message;
      for (const Error& error : number.error()) message += error.to_string();
      return refused(400, message);
    }
    return told({{"number", *number}, {"injected", injected()}}, 201);
  }

  AdminReply revert() {
    if (rest_.empty()) {
      session_.revert_all();
      return get_faults();
    }
    std::uint64_t number = 0;
    rest_.remove_prefix(rest_.starts_with('/') ? 1 : 0);
    std::from_chars(rest_.data(), rest_.data() + rest_.size(), number);
    if (!session_.revert(number)) return refused(404, "no such fault is injected");
    return get_faults();
  }

  AdminReply reset() {
    session_.reset(real_);
    return state();
  }

  AdminReply get_seed() { return told({{"seed", session_.seed()}}); }

  AdminReply set_seed() {
    const Json* seed = member("seed");
    if (seed == nullptr || !seed->is_number_unsigned()) {
      return refused(400, R"(expected {"seed": 42})");
    }
    session_.set_seed(seed->get<std::uint64_t>(), real_);
    return get_seed();
  }

  AdminReply journal() {
    AdminReply reply{.content_type = "application/x-ndjson"};
    const auto& lines = session_.journal().lines();
    std::size_t last = lines.size();
    const std::string_view asked = head_.parameter("last");
    std::from_chars(asked.data(), asked.data() + asked.size(), last);
    for (std::size_t i = lines.size() - std::min(last, lines.size()); i < lines.size(); ++i) {
      reply.body += lines[i];
    }
    return reply;
  }

  AdminReply findings() {
    const Correlator& correlator = session_.correlator();
    Json json;
    json["calls"] = correlator.calls();
    json["attempts"] = correlator.attempts();
    json["amplification"] = correlator.calls() == 0 ? 0.0
                                                    : static_cast<double>(correlator.attempts()) /
                                                          static_cast<double>(correlator.calls());
    json["retries_by_content"] = correlator.guessed();
    for (std::size_t i = 0; i < finding_count; ++i) {
      const auto finding = static_cast<Finding>(i);
      json[std::string(to_string(finding))] = correlator.count(finding);
    }
    json["accepted_truncated"] =
        correlator.count(Finding::accepted_truncated) + correlator.truncated_waiting();
    Json refused = Json::object();
    for (const auto& [status, count] : session_.refused()) refused[std::to_string(status)] = count;
    json["refused"] = refused;
    return told(json);
  }

  const RequestHead& head_;
  std::string_view text_;
  Session& session_;
  const ServerState& state_;
  Duration real_;
  Json body_ = Json::object();
  std::string_view rest_;  // of the path, behind the resource's name
};

const std::array<Admin::Resource, 11> Admin::resources{{
    {"GET", "state", &Admin::state},
    {"GET", "phase", &Admin::get_phase},
    {"POST", "phase", &Admin::set_phase},
    {"GET", "faults", &Admin::get_faults},
    {"POST", "faults", &Admin::inject},
    {"DELETE", "faults", &Admin::revert, true},
    {"POST", "reset", &Admin::reset},
    {"GET", "seed", &Admin::get_seed},
    {"POST", "seed", &Admin::set_seed},
    {"GET", "journal", &Admin::journal},
    {"GET", "findings", &Admin::findings},
}};

}  // namespace

bool is_admin(std::string_view path) {
  return path.starts_with(prefix);
}

AdminReply administer(const RequestHead& head, std::string_view body, Session& session,
                      const ServerState& state, Duration real_now) {
  return Admin(head, body, session, state, real_now).answer();
}

}  // namespace brownout::mock::http
