# Installs brownout's build tree BUILD somewhere, builds the consumer against it and runs it. What
# the installed files need from the source tree fails here.
#
#   cmake -D BUILD=… -D SOURCE=… -D WORK=… -D COMPILER=… -P consumer_test.cmake

function(run)
  execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE text ERROR_VARIABLE text RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}: ${status}\n${text}")
  endif()
  set(output "${text}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/installed)

# Moved, as packages are: nothing may remember the place it was installed to.
file(RENAME ${WORK}/installed ${WORK}/prefix)
file(GLOB_RECURSE configs ${WORK}/prefix/*.cmake)
foreach(config IN LISTS configs)
  file(READ ${config} text)
  foreach(place ${SOURCE} ${WORK}/installed)
    string(FIND "${text}" ${place} found)
    if(NOT found EQUAL -1)
      message(FATAL_ERROR "${config} names ${place}")
    endif()
  endforeach()
endforeach()

file(COPY ${SOURCE}/tests/consumer/CMakeLists.txt ${SOURCE}/tests/consumer/consumer.cpp
     DESTINATION ${WORK}/source)
run(${CMAKE_COMMAND} -S ${WORK}/source -B ${WORK}/build -G Ninja
    -D CMAKE_PREFIX_PATH=${WORK}/prefix -D CMAKE_CXX_COMPILER=${COMPILER})
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${WORK}/build/consumer)

set(expected "attempt 1 at target 0
attempt 2 at target 0
call 1: success, good morning
attempt at openai/gpt-4
attempt at openai/gpt-4
")
if(NOT output STREQUAL expected)
  message(FATAL_ERROR "the consumer said\n${output}instead of\n${expected}")
endif()

run(${WORK}/prefix/bin/brownout --version)

# The program needs nothing beside it.
file(MAKE_DIRECTORY ${WORK}/elsewhere)
run(${WORK}/prefix/bin/brownout new ${WORK}/elsewhere/mine)
run(${WORK}/prefix/bin/brownout run ${WORK}/elsewhere/mine.json)

foreach(file man/man1/brownout.1 bash-completion/completions/brownout zsh/site-functions/_brownout
        fish/vendor_completions.d/brownout.fish)
  file(READ ${WORK}/prefix/share/${file} text)
  if(NOT text MATCHES "brownout")
    message(FATAL_ERROR "share/${file} says nothing of brownout")
  endif()
endforeach()
