#include "mockserver/wire/completion.hpp"

#include <algorithm>
#include <array>

#include "mockserver/plan.hpp"

namespace brownout::mock::wire {
namespace {

// Characters of one to four bytes: wherever a reply is cut, sooner or later it is inside of one.
constexpr std::array<std::string_view, 32> words{
    " harbour", " Flügel", " lantern", " l'été",  " weather", " 日本,", " keeping", " straße",
    " through", " 🌊 on",   " morning", " señal,", " quietly", " 東へ,", " outside", " brøder",
    " islands", " 🚢 in",   " between", " année,", " signals", " größe", " against", " €129,",
    " evening", " naïves", " compass", " øyenes", " distant", " 水は,", " horizon", " kõiki."};
static_assert(std::all_of(words.begin(), words.end(),
                          [](std::string_view word) { return word.size() == token_bytes; }));

// SplitMix64's output function: Steele, Lea and Flood, "Fast splittable pseudorandom number
// generators" (OOPSLA'14).
std::uint64_t mixed(std::uint64_t value) {
  value += 0x9E3779B97F4A7C15;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
  return value ^ (value >> 31);
}

}  // namespace

std::string_view token_text(std::uint64_t seed, std::uint64_t k) {
  return words[(mixed(seed) + k) % words.size()];
}

std::string completion_text(std::uint64_t seed, std::uint32_t count) {
  std::string text;
  text.reserve(std::size_t{count} * token_bytes);
  for (std::uint32_t k = 0; k < count; ++k) text += token_text(seed, k);
  return text;
}

std::string made_id(std::uint64_t seed, std::uint64_t purpose, std::string_view alphabet,
                    std::size_t length) {
  std::string id;
  std::uint64_t state = mixed(seed ^ mixed(purpose));
  for (std::size_t i = 0; i < length; ++i) {
    state = mixed(state);
    id += alphabet[state % alphabet.size()];
  }
  return id;
}

}  // namespace brownout::mock::wire
