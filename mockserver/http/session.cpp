#include "mockserver/http/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/core/check.hpp"
#include "engine/core/document.hpp"

namespace brownout::mock::http {
namespace {

constexpr std::uint32_t default_output_tokens = 100;
constexpr std::size_t most_injected = 100;
// Injected faults draw apart from the script's: a share of one says nothing about the other.
constexpr std::uint64_t injection_seed = 0x696E6A6563746564;  // "injected"

constexpr std::array<LimitKind, 4> bucket_kinds{LimitKind::requests, LimitKind::tokens,
                                                LimitKind::input_tokens, LimitKind::output_tokens};

std::uint64_t key_of(const Ticket& ticket) {
  return std::uint64_t{ticket.model} << 48U | ticket.number;
}

// A copy of the models alone, without limits.
Script models_of(const Script& script) {
  Script copy{.providers = script.providers, .models = script.models, .phases = {}};
  for (ModelSpec& model : copy.models) model.limits = {};
  return copy;
}

std::uint64_t injected_by(const ScriptedProvider& provider) {
  std::uint64_t sum = 0;
  const std::size_t faults = provider.script().fault_count();
  for (std::size_t i = 0; i < faults; ++i) sum += provider.count(static_cast<FaultId>(i)).injected;
  return sum;
}

}  // namespace

// A provider, and who waits for it. Lives on after a reset until its last request has ended.
class World {
 public:
  World(const Script& script, std::uint64_t seed) : provider(script, seed) {
    for (const ModelSpec& model : script.models) {
      faults.emplace_back(seed, Purpose::fault, model.full_name);
    }
  }

  ScriptedProvider provider;
  std::vector<DrawFamily> faults;  // by ModelId: what the provider draws for faults
  std::unordered_map<std::uint64_t, Exchange*> waiting;
  Instant latest{};  // told to the provider so far
};

void SessionTotals::add(const SessionTotals& other) {
  calls += other.calls;
  attempts += other.attempts;
  guessed += other.guessed;
  for (std::size_t i = 0; i < findings.size(); ++i) findings[i] += other.findings[i];
  for (const auto& [status, count] : other.refused) refused[status] += count;
  if (faults.size() < other.faults.size()) faults.resize(other.faults.size());
  for (std::size_t i = 0; i < other.faults.size(); ++i) {
    faults[i].matched += other.faults[i].matched;
    faults[i].injected += other.faults[i].injected;
    faults[i].asked_billionths += other.faults[i].asked_billionths;
  }
}

Session::Session(SessionOptions options, std::string test, Duration real_now)
    : options_(std::move(options)),
      test_(std::move(test)),
      born_real_(real_now),
      journal_(options_.journal_lines) {
  reset(real_now);
}

void Session::end() {
  correlator_->finish();
  if (options_.calls != nullptr) options_.calls->on_end(test_);
}

Session::~Session() = default;

void Session::reset(Duration real) {
  origin_real_ = real;
  origin_ = Instant{} + options_.start;
  output_ = DrawFamily(options_.seed, Purpose::output_tokens, "workload");
  begin_anew();
  journal_.clear();
  requests_ = 0;
  ++resets_;
}

// Requests under way end in what there was before, and nobody is told of their calls.
void Session::begin_anew() {
  world_ = std::make_shared<World>(script(), options_.seed);
  injected_.clear();
  refused_.clear();
  if (options_.calls != nullptr && correlator_) {
    correlator_->finish();
    options_.calls->on_anew(test_);
  }
  const auto done = [this](const ServedCall& call) {
    if (options_.calls == nullptr) return;
    options_.calls->on_call(test_, call, call.attempts.front().phase);
  };
  correlator_ = std::make_shared<Correlator>(done, options_.known_calls, content_window_here());
}

// Backoff that runs in real time looks longer in a scenario that is played faster.
Duration Session::content_window_here() const {
  return options_.clients_keep_pace ? content_window : scaled(content_window);
}

void Session::set_seed(std::uint64_t seed, Duration real) {
  options_.seed = seed;
  reset(real);
}

const ScriptedProvider& Session::provider() const {
  return world_->provider;
}

SessionTotals Session::totals() const {
  SessionTotals totals{.calls = correlator_->calls(),
                       .attempts = correlator_->attempts(),
                       .guessed = correlator_->guessed()};
  for (std::size_t i = 0; i < finding_count; ++i) {
    totals.findings[i] = correlator_->count(static_cast<Finding>(i));
  }
  totals.refused = refused_;
  for (std::size_t i = 0; i < script().fault_count(); ++i) {
    totals.faults.push_back(provider().count(static_cast<FaultId>(i)));
  }
  return totals;
}

// Time

Instant Session::now(Duration real) const {
  return after(origin_, scaled(real - origin_real_));
}

Instant Session::timed(Duration real) const {
  return after(Instant{}, scaled(real - born_real_));
}

Duration Session::scaled(Duration real) const {
  const double passed = static_cast<double>(real.count()) * options_.speed;
  return Duration{std::llround(std::min(passed, 9e18))};
}

// A provider wants instants that never go backwards.
Instant Session::advance(World& world, Duration real) const {
  return world.latest = std::max(world.latest, now(real));
}

std::size_t Session::phase_at(Instant at) const {
  const auto& phases = script().phases;
  std::size_t phase = 0;
  while (phase + 1 < phases.size() && at - Instant{} >= phases[phase].until) ++phase;
  return phase;
}

std::size_t Session::phase(Duration real) const {
  return phase_at(now(real));
}

void Session::set_phase(std::size_t phase, Duration real) {
  const Instant begins = Instant{} + script().phases[phase].begin;
  if (begins < now(real)) begin_anew();
  origin_real_ = real;
  origin_ = begins;
}

// Injected faults

Result<std::uint64_t> Session::inject(const std::string& fault, Duration lasts, Duration real) {
  if (injected_.size() >= most_injected) {
    return fail(ErrorKind::invalid, fmt::format("{} faults are injected already", most_injected));
  }
  auto document =
      Document::parse("fault", fmt::format(R"([{{"phase":"injected","until":"{}","faults":[)"
                                           "\n{}\n]}}]",
                                           format_duration(lasts), fault));
  if (!document) return tl::unexpected(std::move(document.error()));
  Problems problems;
  Script script = models_of(this->script());
  read_timeline((*document)->root(), Duration{}, problems, script);
  if (!problems.empty()) return tl::unexpected(problems.take());
  auto injection = std::make_unique<Injection>(std::move(script), options_.seed ^ injection_seed);
  injection->number = ++injections_;
  injection->from = advance(*world_, real);
  injection->until = after(injection->from, lasts);
  injected_.push_back(std::move(injection));
  return injections_;
}

bool Session::revert(std::uint64_t number) {
  return std::erase_if(injected_, [&](const auto& one) { return one->number == number; }) > 0;
}

void Session::drop_expired(Instant now) {
  std::erase_if(injected_, [&](const auto& one) { return one->until <= now; });
}

std::vector<Session::Injected> Session::injected(Duration real) {
  drop_expired(now(real));
  std::vector<Injected> list;
  for (const auto& one : injected_) {
    list.push_back(
        {one->number, one->script.fault(0).to_string(), one->until, one->provider.count(0)});
  }
  return list;
}

// What an injected fault makes of a request is planned by a provider of its own, which has the same
// models without limits; what it does not hit goes on to the script.
bool Session::ask_injected(Exchange& exchange, const ProviderRequest& request, Instant now) {
  drop_expired(now);
  for (const auto& one : injected_) {
    const std::uint64_t before = injected_by(one->provider);
    const Arrival arrival = one->provider.arrive(request, Instant{} + (now - one->from));
    const bool hit = injected_by(one->provider) > before;
    one->provider.finish(arrival.plan, Instant{} + (now - one->from));
    if (!hit) continue;
    exchange.plan = arrival.plan;
    exchange.entry.injected = true;
    exchange.entry.fault = one->script.fault(0).to_string();
    return true;
  }
  return false;
}

// Injected faults are asked before the script, as ask_injected() does. `until` comes down to when
// the answer may change.
Fate Session::fate(ModelId model, Instant now, Instant& until) const {
  const auto asked = [&](const PhaseSpec& phase, Instant begin) {
    const Foresight found = foresee(phase, model, now - begin);
    until = std::min(until, after(begin, found.until));
    return found.fate;
  };
  for (const auto& one : injected_) {
    until = std::min(until, one->until);
    const Fate fate = asked(one->script.phases.front(), one->from);
    if (fate != Fate::undecided) return fate;
  }
  const PhaseSpec& phase = script().phases[phase_at(now)];
  return asked(phase, Instant{} + phase.begin);
}

Session::Refusal Session::refusal(Duration real) {
  const Instant at = now(real);
  drop_expired(at);
  Instant until = never;
  Refusal refusal{.is_total = true};
  for (std::size_t i = 0; refusal.is_total && i < script().models.size(); ++i) {
    refusal.is_total = fate(static_cast<ModelId>(i), at, until) == Fate::refused;
  }
  if (until == never) return refusal;
  // Rounded up: a moment too early would find nothing changed.
  const double wait = std::ceil(static_cast<double>((until - at).count()) / options_.speed);
  refusal.until = real + Duration{static_cast<std::int64_t>(std::min(wait, 4e18)) + 1};
  return refusal;
}

// Requests

std::uint32_t Session::output_tokens(const ApiRequest& request, CallId call) const {
  if (request.output_tokens > 0) return request.output_tokens;
  if (options_.output_tokens == nullptr) return default_output_tokens;
  Draws draws = output_.at(call);
  const std::int64_t drawn = options_.output_tokens->draw(draws);
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(drawn, 1, 100'000'000));
}

void Session::arrive(Exchange& exchange, const RequestHead& head, std::string_view body,
                     Duration real) {
  const Instant at = advance(*world_, real);
  exchange.session = shared_from_this();
  exchange.world = world_;
  exchange.correlator = correlator_;
  exchange.resets = resets_;
  ++under_way_;
  JournalEntry& entry = exchange.entry;
  entry.number = ++requests_;
  entry.arrived = at;
  exchange.arrived = timed(real);
  exchange.phase = phase_at(at);
  entry.phase = script().phases[exchange.phase].name;
  entry.test = test_;
  entry.method = head.method;
  entry.path = head.path.substr(0, most_told);
  entry.model = exchange.request.facts.model.substr(0, most_told);
  entry.stream = exchange.request.stream;
  const bool lists_models = exchange.request.facts.endpoint == wire::Endpoint::models;
  if (exchange.request.refusal != OutcomeKind::success || lists_models) {
    exchange.plan = {.kind = exchange.request.refusal, .model = exchange.request.model};
    if (!lists_models || exchange.request.refusal_status != 0) {
      exchange.plan.status = exchange.request.refusal_status;
    }
    exchange.plan.stream = false;
    exchange.request.facts.id_seed = entry.number;
    begin(exchange, at, real);
    if (exchange.plan.kind != OutcomeKind::success) ++refused_[entry.status];
    return;
  }
  entry.is_call = true;
  entry.attempt = correlator_->arrive({.call = head.header("x-brownout-call"),
                                       .attempt = head.header("x-brownout-attempt"),
                                       .retry_count = head.header("x-stainless-retry-count"),
                                       .credential = exchange.request.credential,
                                       .path = head.path,
                                       .body = body},
                                      exchange.request.model, exchange.arrived, exchange.phase);
  ask(exchange, at);
  if (!exchange.waits) begin(exchange, at, real);
}

void Session::ask(Exchange& exchange, Instant now) {
  JournalEntry& entry = exchange.entry;
  const ApiRequest& asked = exchange.request;
  World& world = *world_;
  const ProviderRequest request{.model = asked.model,
                                .call = entry.attempt.call,
                                .nth = entry.attempt.nth,
                                .input_tokens = asked.facts.input_tokens,
                                .output_tokens = output_tokens(asked, entry.attempt.call),
                                .max_tokens = asked.facts.max_tokens,
                                .stream = asked.stream};
  entry.input_tokens = request.input_tokens;
  entry.max_tokens = request.max_tokens;
  exchange.request.facts.id_seed = entry.attempt.call + entry.attempt.nth;
  const auto levels = [&](auto member) {
    for (std::size_t i = 0; i < bucket_kinds.size(); ++i) {
      const Bucket* bucket = world.provider.bucket(request.model, bucket_kinds[i]);
      if (bucket == nullptr) continue;
      entry.buckets[i].limit = bucket->limit();
      entry.buckets[i].*member = bucket->remaining(now);
    }
  };
  levels(&BucketLevels::before);
  levels(&BucketLevels::after);
  if (!injected_.empty() && ask_injected(exchange, request, now)) return;
  if (!script().phases[phase_at(now)].faults.empty()) {
    Draws draws = world.faults[request.model].at(request.call, request.nth);
    entry.draw = static_cast<std::int64_t>(draws.below(billion));
  }
  const Arrival arrival = world.provider.arrive(request, now);
  levels(&BucketLevels::after);
  exchange.owner = &world.provider;
  exchange.waits = arrival.queued;
  exchange.ticket = arrival.ticket;
  exchange.plan = arrival.plan;
  if (arrival.queued) world.waiting.emplace(key_of(arrival.ticket), &exchange);
}

void Session::begin(Exchange& exchange, Instant now, Duration real) {
  exchange.started_real = real;
  exchange.started = timed(real);
  exchange.waits = false;
  const Plan& plan = exchange.plan;
  JournalEntry& entry = exchange.entry;
  entry.outcome = plan.kind;
  entry.hit = plan.hit;
  entry.wire = plan.wire;
  entry.retry_after = plan.retry_after;
  entry.output_tokens = plan.output_tokens;
  if (plan.fault != no_fault && exchange.owner != nullptr) {
    entry.fault = script().fault(plan.fault).to_string();
  }
  wire::RequestFacts& facts = exchange.request.facts;
  const wire::Occasion occasion{
      .now = options_.clients_keep_pace ? options_.starts_at + (now - Instant{})
                                        : options_.calendar + real,
      .speed = options_.clients_keep_pace ? 1 : options_.speed,
      .message = exchange.request.refusal_message,
  };
  if (facts.endpoint == wire::Endpoint::models && plan.kind == OutcomeKind::success) {
    std::vector<std::string> names;
    for (const ModelSpec& model : script().models) names.push_back(model.name);
    exchange.reply = wire::encode_models(facts.endpoint, names, facts, occasion);
  } else {
    exchange.reply = wire::encode(facts, plan, occasion);
  }
  entry.status = exchange.reply->status;
  exchange.has_piece = exchange.reply->next(exchange.piece);
}

Exchange* Session::start(const std::optional<Start>& start, World& world, Duration real) {
  if (!start) return nullptr;
  const auto found = world.waiting.find(key_of(start->ticket));
  BROWNOUT_CHECK(found != world.waiting.end());
  Exchange* exchange = found->second;
  world.waiting.erase(found);
  exchange->plan = start->plan;
  exchange->entry.queued = timed(real) - exchange->arrived;
  begin(*exchange, world.latest, real);
  return exchange;
}

Exchange* Session::finish(Exchange& exchange, Duration real) {
  const Instant now = advance(*exchange.world, real);
  record(exchange, real, false);
  if (exchange.owner == nullptr) return nullptr;
  return start(exchange.owner->finish(exchange.plan, now), *exchange.world, real);
}

Exchange* Session::leave(Exchange& exchange, Duration real) {
  const Instant now = advance(*exchange.world, real);
  record(exchange, real, true);
  if (exchange.owner == nullptr) return nullptr;
  if (exchange.waits) {
    exchange.world->waiting.erase(key_of(exchange.ticket));
    exchange.owner->abandon(exchange.ticket);
    return nullptr;
  }
  const Duration elapsed = timed(real) - exchange.started;
  return start(exchange.owner->abandon(exchange.plan, elapsed, now), *exchange.world, real);
}

void Session::record(Exchange& exchange, Duration real, bool left) {
  --under_way_;
  JournalEntry& entry = exchange.entry;
  const Plan& plan = exchange.plan;
  const Instant now = timed(real);
  entry.ended = now - exchange.arrived;
  const Duration elapsed = now - exchange.started;
  if (entry.is_call) {
    ServedAttempt served{.model = plan.model,
                         .phase = exchange.phase,
                         .outcome = plan.kind,
                         .arrived = exchange.arrived};
    served.ended = entry.closed_by == ClosedBy::shutdown ? never : now;
    served.retry_after = plan.retry_after;
    served.client_left = left;
    if (!exchange.waits && plan.generates) {
      served.input_tokens = plan.billed_input_tokens;
      served.output_tokens = left ? tokens_generated(plan, elapsed) : plan.delivered_tokens;
    }
    if (left && !plan.hang) served.outcome = OutcomeKind::cancelled;
    if (entry.pieces > 0) served.first_output = exchange.arrived + entry.first_sent;
    exchange.correlator->ended(entry.attempt, served);
  }
  std::string line;
  append_line(entry, line);
  if (options_.on_line) options_.on_line(line);
  if (exchange.resets == resets_) journal_.add(std::move(line));
}

}  // namespace brownout::mock::http
