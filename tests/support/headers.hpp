#pragma once

// What nearly every test includes, precompiled (tests/CMakeLists.txt); tests still include what
// they use. And what nearly every property instantiates, compiled once, in headers.cpp.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

extern template void rc::detail::checkGTest<void (*)()>(void (*&&)());

extern template class rc::Gen<int>;
extern template class rc::Gen<std::uint32_t>;
extern template class rc::Gen<std::int64_t>;
extern template class rc::Gen<std::uint64_t>;
extern template rc::Gen<int> rc::gen::inRange(int, int);
extern template rc::Gen<std::uint32_t> rc::gen::inRange(std::uint32_t, std::uint32_t);
extern template rc::Gen<std::int64_t> rc::gen::inRange(std::int64_t, std::int64_t);
extern template rc::Gen<std::uint64_t> rc::gen::inRange(std::uint64_t, std::uint64_t);
