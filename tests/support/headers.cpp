#include "tests/support/headers.hpp"

template void rc::detail::checkGTest<void (*)()>(void (*&&)());

template class rc::Gen<int>;
template class rc::Gen<std::uint32_t>;
template class rc::Gen<std::int64_t>;
template class rc::Gen<std::uint64_t>;
template rc::Gen<int> rc::gen::inRange(int, int);
template rc::Gen<std::uint32_t> rc::gen::inRange(std::uint32_t, std::uint32_t);
template rc::Gen<std::int64_t> rc::gen::inRange(std::int64_t, std::int64_t);
template rc::Gen<std::uint64_t> rc::gen::inRange(std::uint64_t, std::uint64_t);
