#include "sim/workload.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/core/check.hpp"

namespace brownout::sim {
namespace {

constexpr unsigned guide_bits = 12;
constexpr std::int64_t tokens_max = 100'000'000;
constexpr std::int64_t clients_max = 1'000'000;

std::uint32_t to_tokens(std::int64_t drawn) {
  return static_cast<std::uint32_t>(
      std::min<std::int64_t>(drawn, std::numeric_limits<std::uint32_t>::max()));
}

bool read_arrivals(const Node& node, Duration duration, Problems& problems, WorkloadSpec& out) {
  if (node.type != Node::Type::object) {
    const bool rate = node.type == Node::Type::string && node.text.find('/') != std::string::npos;
    problems.add(node, "expected exactly one of: constant, poisson, clients",
                 rate ? "did you mean { \"poisson\": \"" + node.text + "\" }?" : "");
    return false;
  }
  const std::size_t before = problems.size();
  ObjectReader object(node, problems);
  const Node* constant = object.optional("constant");
  const Node* poisson = object.optional("poisson");
  const Node* clients = object.optional("clients");
  object.finish();
  if (problems.size() != before) return false;
  const int given = (constant != nullptr) + (poisson != nullptr) + (clients != nullptr);
  if (given != 1) {
    problems.add(node, "expected exactly one of: constant, poisson, clients");
    return false;
  }
  if (constant != nullptr) {
    out.arrivals = ArrivalKind::constant;
    return read_rate_curve(*constant, duration, problems, out.rate);
  }
  if (poisson != nullptr) {
    out.arrivals = ArrivalKind::poisson;
    return read_rate_curve(*poisson, duration, problems, out.rate);
  }
  if (clients == nullptr) return false;
  out.arrivals = ArrivalKind::clients;
  ObjectReader loop(*clients, problems);
  loop.required("count", [&](const Node& value) {
    std::int64_t count = 1;
    read_integer(value, problems, count, 1, clients_max);
    out.clients = static_cast<std::uint32_t>(count);
  });
  loop.required("think_time", [&](const Node& value) {
    read_distribution(value, problems, mock::Unit::duration, out.think_time);
  });
  loop.finish();
  return true;
}

void read_prompts(const Node& node, Problems& problems, WorkloadSpec& out) {
  ObjectReader object(node, problems);
  object.required("distinct", [&](const Node& value) {
    std::int64_t distinct = 1;
    read_integer(value, problems, distinct, 1, ZipfLaw::distinct_max);
    out.distinct_prompts = static_cast<std::uint32_t>(distinct);
  });
  object.optional("zipf",
                  [&](const Node& value) { read_number(value, problems, out.zipf, 0, 10); });
  object.finish();
}

void read_cancel(const Node& node, Problems& problems, WorkloadSpec& out) {
  ObjectReader object(node, problems);
  object.required("share", [&](const Node& value) {
    double share = 0;
    read_number(value, problems, share, 0, 1);
    out.cancel_millionths = static_cast<std::uint32_t>(std::llround(share * 1e6));
  });
  object.required("after", [&](const Node& value) {
    read_distribution(value, problems, mock::Unit::duration, out.patience);
  });
  object.finish();
}

}  // namespace

ZipfLaw::ZipfLaw(std::uint32_t distinct, double exponent) {
  BROWNOUT_CHECK(distinct >= 1 && distinct <= distinct_max);
  // Weights are rounded to integers one by one, so that the last digits of pow() do not matter.
  std::uint64_t sum = 0;
  cumulative_.reserve(distinct);
  for (std::uint32_t i = 0; i < distinct; ++i) {
    const double weight = std::pow(static_cast<double>(i) + 1, -exponent);
    sum += std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::llround(weight * 0x1p32)));
    cumulative_.push_back(sum);
  }
  const std::size_t guides = std::size_t{1} << guide_bits;
  first_.resize(guides);
  std::size_t item = 0;
  for (std::size_t guide = 0; guide < guides; ++guide) {
    __extension__ using Wide = unsigned __int128;
    const auto low = static_cast<std::uint64_t>(Wide{sum} * guide >> guide_bits);
    while (cumulative_[item] <= low) ++item;
    first_[guide] = static_cast<std::uint32_t>(item);
  }
}

std::uint32_t ZipfLaw::draw(Draws& draws) const {
  const std::uint64_t sum = cumulative_.back();
  const std::uint64_t word = draws();
  __extension__ using Wide = unsigned __int128;
  const auto value = static_cast<std::uint64_t>(Wide{word} * sum >> 64);
  const std::size_t guide = word >> (64 - guide_bits);
  const auto begin = cumulative_.begin() + first_[guide];
  const auto end =
      guide + 1 < first_.size() ? cumulative_.begin() + first_[guide + 1] + 1 : cumulative_.end();
  return static_cast<std::uint32_t>(std::upper_bound(begin, end, value) - cumulative_.begin());
}

bool read_workload(const Node& node, Duration duration, Problems& problems, WorkloadSpec& out) {
  const std::size_t before = problems.size();
  ObjectReader object(node, problems);
  object.required("arrivals",
                  [&](const Node& value) { read_arrivals(value, duration, problems, out); });
  object.required("input_tokens", [&](const Node& value) {
    read_distribution(value, problems, mock::Unit::count, out.input_tokens);
  });
  object.required("output_tokens", [&](const Node& value) {
    read_distribution(value, problems, mock::Unit::count, out.output_tokens);
  });
  object.optional("max_tokens", [&](const Node& value) {
    std::int64_t tokens = 0;
    read_integer(value, problems, tokens, 1, tokens_max);
    out.max_tokens = static_cast<std::uint32_t>(tokens);
  });
  object.optional("prompts", [&](const Node& value) { read_prompts(value, problems, out); });
  object.optional("stream", [&](const Node& value) {
    double share = 0;
    read_number(value, problems, share, 0, 1);
    out.stream_millionths = static_cast<std::uint32_t>(std::llround(share * 1e6));
  });
  object.optional("deadline", [&](const Node& value) {
    read_duration(value, problems, out.deadline, Duration{1});
  });
  object.optional("cancel", [&](const Node& value) { read_cancel(value, problems, out); });
  object.finish();
  return problems.size() == before;
}

Workload::Workload(const WorkloadSpec& spec, std::uint64_t seed)
    : spec_(spec),
      arrival_(seed, Purpose::arrival, "workload"),
      think_(seed, Purpose::think_time, "workload"),
      prompt_(seed, Purpose::prompt, "workload"),
      input_(seed, Purpose::input_tokens, "workload"),
      output_(seed, Purpose::output_tokens, "workload"),
      stream_(seed, Purpose::stream, "workload"),
      cancel_(seed, Purpose::cancel, "workload"),
      patience_(seed, Purpose::patience, "workload") {
  if (spec.distinct_prompts > 0) zipf_.emplace(spec.distinct_prompts, spec.zipf);
}

Instant Workload::arrival(std::uint64_t number, Instant previous) const {
  if (spec_.arrivals == ArrivalKind::constant) return spec_.rate.advance(previous, 1);
  // A unit exponential in billionths: what libm leaves uncertain is gone before it is used.
  Draws draws = arrival_.at(number);
  const double uniform = static_cast<double>((draws() >> 11) + 1) * 0x1p-53;
  const auto billionths = static_cast<double>(std::llround(-std::log(uniform) * 1e9));
  return spec_.rate.advance(previous, billionths * 1e-9);
}

Duration Workload::think(std::uint64_t number) const {
  Draws draws = think_.at(number);
  return Duration{spec_.think_time.draw(draws)};
}

CallShape Workload::shape(std::uint64_t number) const {
  CallShape shape;
  std::uint64_t prompt = number;
  if (zipf_) {
    Draws draws = prompt_.at(number);
    prompt = zipf_->draw(draws);
  }
  // Multiplying by an odd constant spreads consecutive prompts without collisions.
  shape.request.key = {prompt, (prompt + 1) * 0x9E3779B97F4A7C15U};
  // A prompt has one length, however often it is asked; its answers differ.
  Draws input = input_.at(prompt);
  Draws output = output_.at(number);
  shape.request.input_tokens = to_tokens(spec_.input_tokens.draw(input));
  shape.output_tokens = std::max(1U, to_tokens(spec_.output_tokens.draw(output)));
  shape.request.max_tokens = spec_.max_tokens;
  shape.request.stream = stream_.at(number).chance(spec_.stream_millionths);
  if (cancel_.at(number).chance(spec_.cancel_millionths)) {
    Draws after = patience_.at(number);
    shape.patience = Duration{spec_.patience.draw(after)};
  }
  return shape;
}

}  // namespace brownout::sim
