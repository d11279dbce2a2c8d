# Flags for our own code. Third-party headers are SYSTEM includes and keep their warnings to themselves.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(fmt REQUIRED)
find_package(tl-expected REQUIRED)
find_path(RANDOM123_INCLUDE Random123/philox.h REQUIRED)
list(APPEND CMAKE_MODULE_PATH ${PROJECT_SOURCE_DIR}/cmake)
find_package(xxhash REQUIRED MODULE)

add_library(brownout_settings INTERFACE)
target_include_directories(brownout_settings INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(brownout_settings INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast -Werror
  # Same arithmetic on every compiler and CPU (docs/design/002-determinism.md).
  -ffp-contract=off
  # GCC 12's optimizer sees overlaps inside std::string's operator+ that cannot happen (GCC bug
  # 105651) and uninitialized members of variants that are not there; clang and the sanitizers look
  # for the real ones.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict -Wno-maybe-uninitialized>)

set(BROWNOUT_SANITIZE "" CACHE STRING "Comma-separated sanitizers, e.g. address,undefined")
if(BROWNOUT_SANITIZE)
  add_compile_options(-fsanitize=${BROWNOUT_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${BROWNOUT_SANITIZE})
  # ThreadSanitizer does not know fences, and GCC refuses them. Asio can do without: those of its
  # handlers stand beside mutexes, and Boost's other counters have none.
  if(BROWNOUT_SANITIZE MATCHES "thread")
    add_compile_definitions(BOOST_ASIO_DISABLE_FENCED_BLOCK BOOST_ASIO_DISABLE_STD_ATOMIC
                            BOOST_SP_USE_STD_ATOMIC)
  endif()
endif()

# brownout_library(NAME SOURCES a.cpp … LINK lib … [PUBLISH]): a static library with our settings.
# PUBLISH installs it for programs of others, which link it as brownout::NAME without the prefix;
# what it links must then be found by cmake/brownoutConfig.cmake.in.
function(brownout_library name)
  cmake_parse_arguments(ARG "PUBLISH" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_compile_features(${name} PUBLIC cxx_std_20)
  target_link_libraries(${name} PUBLIC $<BUILD_INTERFACE:brownout_settings> ${ARG_LINK})
  if(ARG_PUBLISH)
    set_property(GLOBAL APPEND PROPERTY brownout_published ${name})
  endif()
endfunction()
