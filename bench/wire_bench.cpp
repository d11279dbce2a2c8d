// What the bytes of a reply cost the server that plays it. The floor is copying as many bytes.

#include <benchmark/benchmark.h>

#include <cstring>
#include <string>

#include "mockserver/wire/reply.hpp"

namespace brownout::mock::wire {
namespace {

Plan reply_of(std::uint32_t tokens, bool stream) {
  Plan plan{.stream = stream, .generates = true};
  plan.output_tokens = plan.delivered_tokens = tokens;
  plan.first_token = std::chrono::milliseconds{500};
  plan.last_token = plan.first_token + std::chrono::milliseconds{20} * tokens;
  plan.complete = plan.last_token;
  plan.first_byte = stream ? plan.first_token : plan.complete;
  return plan;
}

RequestFacts request_to(std::int64_t endpoint) {
  RequestFacts request;
  request.endpoint = static_cast<Endpoint>(endpoint);
  request.model = "gpt-4";
  request.id_seed = 7;
  return request;
}

std::size_t play(const RequestFacts& request, const Plan& plan, Piece& piece) {
  WireReply reply = encode(request, plan, {});
  std::size_t bytes = 0;
  while (reply.next(piece)) bytes += piece.bytes.size();
  return bytes;
}

void encode_stream(benchmark::State& state) {
  const RequestFacts request = request_to(state.range(0));
  const Plan plan = reply_of(500, true);
  Piece piece;
  std::size_t bytes = 0;
  for (auto _ : state) bytes = play(request, plan, piece);
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(encode_stream)
    ->Name("Wire/stream")
    ->ArgName("endpoint")
    ->DenseRange(0, 4)
    ->Unit(benchmark::kMicrosecond);

void encode_plain(benchmark::State& state) {
  const RequestFacts request = request_to(state.range(0));
  const Plan plan = reply_of(500, false);
  Piece piece;
  std::size_t bytes = 0;
  for (auto _ : state) bytes = play(request, plan, piece);
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(encode_plain)
    ->Name("Wire/plain")
    ->ArgName("endpoint")
    ->DenseRange(0, 4)
    ->Unit(benchmark::kMicrosecond);

void copy_of_a_stream(benchmark::State& state) {
  Piece piece;
  const std::string from(play(request_to(0), reply_of(500, true), piece), 'x');
  std::string to(from.size(), ' ');
  for (auto _ : state) {
    std::memcpy(to.data(), from.data(), from.size());
    benchmark::DoNotOptimize(to.data());
  }
}
BENCHMARK(copy_of_a_stream)->Name("Wire/floor")->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace brownout::mock::wire
