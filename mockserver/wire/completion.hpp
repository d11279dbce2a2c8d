#pragma once

// What the model says, and the ids its provider gives. Both are functions of a seed.

#include <cstdint>
#include <string>
#include <string_view>

namespace brownout::mock::wire {

/// The text of token `k` of the completion of that seed: a space and a word, `token_bytes` bytes,
/// nothing that JSON escapes. Completions of different seeds begin at different words of one list.
std::string_view token_text(std::uint64_t seed, std::uint64_t k);

/// The text of the first `count` tokens.
std::string completion_text(std::uint64_t seed, std::uint32_t count);

/// `length` characters of `alphabet`; different for every `purpose` of one seed.
std::string made_id(std::uint64_t seed, std::uint64_t purpose, std::string_view alphabet,
                    std::size_t length);

inline constexpr std::string_view hexadecimal = "0123456789abcdef";
inline constexpr std::string_view base62 =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

}  // namespace brownout::mock::wire
