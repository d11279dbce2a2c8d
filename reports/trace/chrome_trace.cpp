#include "reports/trace/chrome_trace.hpp"

#include <algorithm>

namespace brownout::reports {
namespace {

// In the order in which they are drawn. Targets follow.
constexpr std::uint32_t calls_process = 1;
constexpr std::uint32_t breakers_process = 2;
constexpr std::uint32_t faults_process = 3;
constexpr std::uint32_t first_target_process = 4;

// Places beside a slot that the order of threads leaves room for.
constexpr std::size_t places = 16;

constexpr Duration smallest{1};

// Nanoseconds as microseconds, exactly.
std::string us(Duration duration) {
  const std::int64_t ns = duration.count();
  const std::int64_t rest = ns % 1000;
  return rest == 0 ? std::to_string(ns / 1000) : fmt::format("{}.{:03}", ns / 1000, rest);
}

std::string us(Instant at) {
  return us(at - Instant{});
}

std::int64_t level(BreakerState state) {
  switch (state) {
    case BreakerState::closed:
      return 0;
    case BreakerState::half_open:
      return 1;
    case BreakerState::open:
      return 2;
  }
  return 0;
}

std::string name_of(const CallRecord& record) {
  if (record.given_up) return "call: given up";
  switch (record.end) {
    case CallEnd::success:
      return "call";
    case CallEnd::cached:
    case CallEnd::degraded:
      return fmt::format("call: {}", to_string(record.end));
    case CallEnd::failed:
      break;
  }
  return fmt::format("call: {}", to_string(record.kind));
}

TraceNames escaped(TraceNames names) {
  for (TraceNames::Route& route : names.routes) {
    route.name = json_string(route.name);
    route.target = json_string(route.target);
  }
  for (std::string& breaker : names.breakers) breaker = json_string(breaker);
  for (TraceNames::Phase& phase : names.phases) {
    phase.name = json_string(phase.name);
    for (std::string& fault : phase.faults) fault = json_string(fault);
  }
  names.scenario = json_string(names.scenario);
  names.policy = json_string(names.policy);
  return names;
}

// `text`, which is a JSON string, with more before its last quote.
std::string with(std::string text, std::string_view more) {
  return text.insert(text.size() - 1, more);
}

}  // namespace

ChromeTrace::ChromeTrace(TraceNames names, TimeWindow window, Sink sink)
    : CallRecorder(window), names_(escaped(std::move(names))), out_(std::move(sink)) {
  out_.print(R"({{"displayTimeUnit":"ms","otherData":{{"scenario":{},"policy":{},"seed":"{}"}},)"
             R"("traceEvents":[)",
             names_.scenario, names_.policy, names_.seed);
  threads_ = first_target_process + static_cast<std::uint32_t>(names_.routes.size());
  name_process(calls_process, R"("calls")");
  name_process(breakers_process, R"("breakers")");
  name_process(faults_process, R"("faults")");
  calls_ = {calls_process, R"("calls")", R"("in flight")"};
  for (const std::string& breaker : names_.breakers) {
    breakers_.push_back(name_thread(breakers_process, breaker, breakers_.size()));
    breaker_states_.push_back({breakers_process, breaker, R"("state")"});
    breaker_openings_.push_back({breakers_process, breaker, R"("openings")"});
  }
  std::map<std::string, std::size_t> targets;
  for (const TraceNames::Route& route : names_.routes) {
    const auto [known, is_new] = targets.emplace(route.target, attempts_.size());
    target_of_.push_back(known->second);
    if (!is_new) continue;
    const auto process = first_target_process + static_cast<std::uint32_t>(attempts_.size());
    attempts_.push_back({process, R"("attempts")", R"("in flight")"});
    if (route.target != R"("")") name_process(process, route.target);
  }
}

// --- calls ---------------------------------------------------------------------------------------

void ChromeTrace::on_call_start(const CallStartEvent& event) {
  CallRecorder::on_call_start(event);
  if (event.at >= window().until) return;
  if (free_slots_.empty()) {
    free_slots_.push(lanes_.size());
    lanes_.emplace_back();
  }
  slots_.emplace(event.call, free_slots_.top());
  free_slots_.pop();
  set(calls_, calls_.now + 1, event.at);
}

void ChromeTrace::on_call(const CallEvent& event, const Outcome& outcome) {
  CallRecorder::on_call(event, outcome);
  end_call(event.call, event.ended);
}

void ChromeTrace::on_give_up(const GiveUpEvent& event) {
  CallRecorder::on_give_up(event);
  end_call(event.call, event.at);
}

void ChromeTrace::end_call(CallId call, Instant at) {
  const auto slot = slots_.find(call);
  if (slot == slots_.end()) return;
  free_slots_.push(slot->second);
  slots_.erase(slot);
  set(calls_, calls_.now - 1, at);
}

void ChromeTrace::on_attempt_start(const AttemptStartEvent& event) {
  Counter& attempts = attempts_[target_of_[event.route]];
  set(attempts, attempts.now + 1, event.at);
}

void ChromeTrace::on_attempt(const AttemptEvent& event, const Outcome& outcome) {
  CallRecorder::on_attempt(event, outcome);
  Counter& attempts = attempts_[target_of_[event.route]];
  set(attempts, attempts.now - 1, event.ended);
}

// The call's own slice comes before what lies in it, and what begins earlier before what begins
// later: of slices that begin at one instant, readers take the first for the outer one.
void ChromeTrace::on_record(const CallRecord& record) {
  const std::size_t slot = slots_.at(record.call);
  std::vector<Slice> slices = slices_of(record);
  assign_threads(slices, slot);
  const std::uint32_t thread = lane(slot, 0);
  write_call(record, thread);
  auto note = record.notes.begin();
  for (const Slice& slice : slices) {
    for (; note != record.notes.end() && instant_of(*note) <= slice.begin; ++note) {
      write_note(*note, thread);
    }
    write_slice(slice);
  }
  for (; note != record.notes.end(); ++note) write_note(*note, thread);
  write_arrows(record, slices);
}

// In order of their beginnings. A wait tells until when it may last: it is over when its ride does
// something else, or the call ends.
std::vector<ChromeTrace::Slice> ChromeTrace::slices_of(const CallRecord& record) const {
  std::vector<Slice> slices;
  for (const CallRecord::Attempt& attempt : record.attempts) {
    slices.push_back({attempt.event.started, attempt.event.ended, attempt.event.copy, &attempt});
  }
  for (const CallRecord::Note& note : record.notes) {
    const auto* wait = std::get_if<WaitEvent>(&note);
    if (wait != nullptr) slices.push_back({wait->from, wait->until, wait->copy, nullptr, wait});
  }
  // Of one instant, a wait that turned out to be none comes before what it waited for.
  std::ranges::stable_sort(slices, [](const Slice& a, const Slice& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.attempt == nullptr && b.attempt != nullptr;
  });
  for (auto slice = slices.begin(); slice != slices.end(); ++slice) {
    slice->end = std::min(slice->end, record.ended);
    const auto next = std::find_if(slice + 1, slices.end(),
                                   [&](const Slice& other) { return other.copy == slice->copy; });
    if (slice->wait != nullptr && next != slices.end()) {
      slice->end = std::min(slice->end, next->begin);
    }
  }
  return slices;
}

// Every copy takes the first place beside the slot whose last copy is over.
void ChromeTrace::assign_threads(std::vector<Slice>& slices, std::size_t slot) {
  struct Copy {
    std::uint32_t number;
    Instant ends;
    std::uint32_t thread;
  };
  std::vector<Copy> copies;
  std::vector<Instant> free_from;
  for (Slice& slice : slices) {
    if (slice.copy == 0) {
      slice.thread = lane(slot, 0);
      continue;
    }
    auto copy = std::ranges::find(copies, slice.copy, &Copy::number);
    if (copy == copies.end()) {
      Instant ends = slice.end;
      for (const Slice& other : slices) {
        if (other.copy == slice.copy) ends = std::max(ends, other.end);
      }
      const auto place =
          std::ranges::find_if(free_from, [&](Instant from) { return from <= slice.begin; });
      const auto beside = static_cast<std::size_t>(place - free_from.begin());
      if (place == free_from.end()) free_from.emplace_back();
      free_from[beside] = ends;
      copy = copies.insert(copies.end(), {slice.copy, ends, lane(slot, 1 + beside)});
    }
    slice.thread = copy->thread;
  }
}

void ChromeTrace::write_call(const CallRecord& record, std::uint32_t thread) {
  begin_event();
  out_.print(R"("ph":"X","pid":{},"tid":{},"ts":{},"dur":{},"name":"{}","cat":"call","args":{{)"
             R"("call":{},)",
             calls_process, thread, us(record.started), us(record.ended - record.started),
             name_of(record), record.call);
  if (record.given_up) {
    out_.print(R"("given up by":"{}",)", record.by_caller ? "caller" : "shutdown");
  } else {
    out_.print(R"("end":"{}","outcome":"{}","served":"{}",)", to_string(record.end),
               to_string(record.kind), to_string(record.served));
  }
  if (record.route != no_route) out_.print(R"("route":{},)", route(record.route));
  out_.print(R"("attempts":{},"billed tokens":{}}}}})", record.attempts_made, record.billed_tokens);
}

void ChromeTrace::write_slice(const Slice& slice) {
  if (slice.attempt != nullptr) return write_attempt(slice);
  begin_event();
  out_.print(R"("ph":"X","pid":{},"tid":{},"ts":{},"dur":{},"name":"wait: {}","cat":"wait",)"
             R"("args":{{)",
             calls_process, slice.thread, us(slice.begin), us(slice.end - slice.begin),
             to_string(slice.wait->reason));
  if (slice.wait->reason == WaitReason::retry && slice.wait->cause != OutcomeKind::success) {
    out_.print(R"("cause":"{}",)", to_string(slice.wait->cause));
  }
  if (slice.wait->route != no_route) out_.print(R"("route":{},)", route(slice.wait->route));
  out_.print(R"("at most":"{}"}}}})", format_duration(slice.wait->until - slice.wait->from));
}

void ChromeTrace::write_attempt(const Slice& slice) {
  const CallRecord::Attempt& attempt = *slice.attempt;
  const bool ok = attempt.kind == OutcomeKind::success;
  const std::string& name = route(attempt.event.route);
  begin_event();
  out_.print(R"("ph":"X","pid":{},"tid":{},"ts":{},"dur":{},"name":{},"cat":"attempt","args":{{)"
             R"("call":{},"attempt":{},)",
             calls_process, slice.thread, us(slice.begin), us(slice.end - slice.begin),
             ok ? name : with(name, fmt::format(": {}", to_string(attempt.kind))),
             attempt.event.call, attempt.event.number);
  if (attempt.event.copy != 0) out_.print(R"("hedge":{},)", attempt.event.copy);
  out_.print(R"("target":{},"outcome":"{}",)", target(attempt.event.route),
             to_string(attempt.kind));
  if (attempt.status != 0) out_.print(R"("status":{},)", attempt.status);
  if (attempt.retry_after) {
    out_.print(R"("retry after":"{}",)", format_duration(*attempt.retry_after));
  }
  out_.print(R"("input tokens":{},"output tokens":{}}}}})", attempt.input_tokens,
             attempt.output_tokens);
}

// Waits are slices and hedges are arrows.
void ChromeTrace::write_note(const CallRecord::Note& note, std::uint32_t thread) {
  if (const auto* lookup = std::get_if<LookupEvent>(&note)) {
    begin_event();
    out_.print(R"("ph":"i","s":"t","pid":{},"tid":{},"ts":{},"name":"lookup: {}","cat":"lookup"}})",
               calls_process, thread, us(lookup->at), to_string(lookup->result));
  } else if (const auto* rejection = std::get_if<RejectionEvent>(&note)) {
    begin_event();
    out_.print(R"("ph":"i","s":"t","pid":{},"tid":{},"ts":{},"name":"rejected: {}",)"
               R"("cat":"rejection")",
               calls_process, thread, us(rejection->at), to_string(rejection->kind));
    if (rejection->breaker == no_breaker) return out_.print("}}");
    out_.print(R"(,"args":{{"breaker":{}}}}})", names_.breakers[rejection->breaker]);
  }
}

// --- arrows --------------------------------------------------------------------------------------

void ChromeTrace::write_arrows(const CallRecord& record, const std::vector<Slice>& slices) {
  const auto first_attempt = [&](auto from, std::uint32_t copy) {
    return std::find_if(from, slices.end(), [&](const Slice& slice) {
      return slice.attempt != nullptr && slice.copy == copy;
    });
  };
  for (auto slice = slices.begin(); slice != slices.end(); ++slice) {
    if (slice->attempt == nullptr) continue;
    const auto next = first_attempt(slice + 1, slice->copy);
    if (next == slices.end()) continue;
    const bool elsewhere = next->attempt->event.route != slice->attempt->event.route;
    write_arrow(elsewhere ? "fallback" : "retry", *slice, slice->end - smallest, *next);
  }
  for (const CallRecord::Note& note : record.notes) {
    const auto* hedge = std::get_if<HedgeEvent>(&note);
    if (hedge == nullptr) continue;
    const auto copy = first_attempt(slices.begin(), hedge->number);
    const auto raced = std::ranges::find_if(slices, [&](const Slice& slice) {
      return slice.attempt != nullptr && slice.copy < hedge->number && slice.begin <= hedge->at &&
             slice.end >= hedge->at;
    });
    if (copy == slices.end() || raced == slices.end()) continue;
    write_arrow("hedge", *raced, hedge->at, *copy);
  }
}

// An arrow begins within the slice it leaves, whose end is not part of it.
void ChromeTrace::write_arrow(std::string_view what, const Slice& from, Instant at,
                              const Slice& to) {
  const Instant leaves = std::max(from.begin, std::min(at, from.end - smallest));
  ++arrows_;
  begin_event();
  out_.print(R"("ph":"s","id":{},"pid":{},"tid":{},"ts":{},"name":"{}","cat":"{}"}})", arrows_,
             calls_process, from.thread, us(leaves), what, what);
  begin_event();
  out_.print(R"("ph":"f","bp":"e","id":{},"pid":{},"tid":{},"ts":{},"name":"{}","cat":"{}"}})",
             arrows_, calls_process, to.thread, us(to.begin), what, what);
}

// --- breakers, counters, phases ------------------------------------------------------------------

void ChromeTrace::on_breaker(const BreakerEvent& event) {
  Counter& openings = breaker_openings_[event.breaker];
  set(breaker_states_[event.breaker], level(event.to), event.at);
  if (event.to == BreakerState::open) set(openings, openings.now + 1, event.at);
  if (!window().contains(event.at)) return;
  begin_event();
  out_.print(R"("ph":"i","s":"t","pid":{},"tid":{},"ts":{},"name":"{}","cat":"breaker","args":{{)"
             R"("breaker":{},"from":"{}"}}}})",
             breakers_process, breakers_[event.breaker], us(event.at), to_string(event.to),
             names_.breakers[event.breaker], to_string(event.from));
}

void ChromeTrace::set(Counter& counter, std::int64_t value, Instant at) {
  if (at >= window().from) open_window();
  if (!counter.written && counter.changed != at) write(counter, counter.changed);
  counter.now = value;
  counter.changed = at;
  counter.written = !window().contains(at);
}

void ChromeTrace::write(const Counter& counter, Instant at) {
  begin_event();
  out_.print(R"("ph":"C","pid":{},"ts":{},"name":{},"args":{{{}:{}}}}})", counter.process, us(at),
             counter.name, counter.value, counter.now);
}

// What every counter shows where the window begins.
void ChromeTrace::open_window() {
  if (window_open_) return;
  window_open_ = true;
  write(calls_, window().from);
  for (const std::vector<Counter>* counters : {&attempts_, &breaker_states_, &breaker_openings_}) {
    for (const Counter& counter : *counters) {
      if (counter.process != 0) write(counter, window().from);
    }
  }
}

// A thread for the phases and one for the first fault of each, the second, and so on.
void ChromeTrace::write_phases(Instant ended) {
  const auto write_slice = [&](std::uint32_t thread, const TraceNames::Phase& phase,
                               const std::string& name, std::string_view category) {
    const Instant begin = std::max(phase.begins, window().from);
    const Instant end = std::min({phase.ends, window().until, ended});
    if (begin >= end) return;
    begin_event();
    out_.print(R"("ph":"X","pid":{},"tid":{},"ts":{},"dur":{},"name":{},"cat":"{}","args":{{)"
               R"("phase":{},"begins":"{}","ends":"{}"}}}})",
               faults_process, thread, us(begin), us(end - begin), name, category, phase.name,
               format_duration(phase.begins - Instant{}), format_duration(phase.ends - Instant{}));
  };
  const std::uint32_t phases = name_thread(faults_process, R"("phases")", 0);
  std::vector<std::uint32_t> threads;
  for (const TraceNames::Phase& phase : names_.phases) {
    write_slice(phases, phase, phase.name, "phase");
    for (std::size_t i = 0; i < phase.faults.size(); ++i) {
      if (i == threads.size()) {
        threads.push_back(name_thread(faults_process, fmt::format(R"("fault {}")", i + 1), i + 1));
      }
      write_slice(threads[i], phase, phase.faults[i], "fault");
    }
  }
}

void ChromeTrace::finish(Instant ended) {
  open_window();
  if (!calls_.written) write(calls_, calls_.changed);
  for (std::vector<Counter>* counters : {&attempts_, &breaker_states_, &breaker_openings_}) {
    for (Counter& counter : *counters) {
      if (!counter.written) write(counter, counter.changed);
    }
  }
  write_phases(ended);
  out_.print("\n]}}\n");
  out_.flush();
}

// --- names ---------------------------------------------------------------------------------------

std::uint32_t ChromeTrace::lane(std::size_t slot, std::size_t beside) {
  std::vector<std::uint32_t>& lanes = lanes_[slot];
  while (lanes.size() <= beside) {
    const std::size_t place = lanes.size();
    std::string name = fmt::format("\"slot {}\"", slot + 1);
    if (place > 0) name = with(name, ", hedges");
    if (place > 1) name = with(name, fmt::format(" {}", place));
    lanes.push_back(name_thread(calls_process, name, slot * places + std::min(place, places - 1)));
  }
  return lanes[beside];
}

void ChromeTrace::name_process(std::uint32_t process, std::string_view name) {
  begin_event();
  out_.print(R"("ph":"M","pid":{},"name":"process_name","args":{{"name":{}}}}})", process, name);
  begin_event();
  out_.print(R"("ph":"M","pid":{},"name":"process_sort_index","args":{{"sort_index":{}}}}})",
             process, process);
}

std::uint32_t ChromeTrace::name_thread(std::uint32_t process, std::string_view name,
                                       std::size_t order) {
  const std::uint32_t thread = ++threads_;
  begin_event();
  out_.print(R"("ph":"M","pid":{},"tid":{},"name":"thread_name","args":{{"name":{}}}}})", process,
             thread, name);
  begin_event();
  out_.print(R"("ph":"M","pid":{},"tid":{},"name":"thread_sort_index",)"
             R"("args":{{"sort_index":{}}}}})",
             process, thread, order);
  return thread;
}

void ChromeTrace::begin_event() {
  out_.print("{}\n{{", first_ ? "" : ",");
  first_ = false;
}

const std::string& ChromeTrace::route(RouteId id) const {
  return names_.routes[id].name;
}

const std::string& ChromeTrace::target(RouteId id) const {
  return names_.routes[id].target;
}

}  // namespace brownout::reports
