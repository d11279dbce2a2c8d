# Writes SOURCE, the C++ file that brownout_embed() promises, from FILES (separated by |).
string(REPLACE "|" ";" files "${FILES}")

set(arrays "")
set(list "")
set(number 0)
foreach(file IN LISTS files)
  get_filename_component(name ${file} NAME)
  file(READ ${file} bytes HEX)
  string(LENGTH "${bytes}" size)
  math(EXPR size "${size} / 2")
  string(REGEX REPLACE "([0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f])" "\\1\n"
         bytes "${bytes}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
  # No array is empty.
  string(APPEND arrays "constexpr char file_${number}[] = {\n${bytes}'\\0'};\n")
  string(APPEND list "    {\"${name}\", {file_${number}, ${size}}},\n")
  math(EXPR number "${number} + 1")
endforeach()

file(WRITE ${SOURCE} "// Written by brownout_embed().
#include \"reports/embedded.hpp\"

namespace brownout::embedded {
namespace {

${arrays}
constexpr File files[] = {
${list}};

}  // namespace

std::span<const File> ${NAME}();
std::span<const File> ${NAME}() {
  return files;
}

}  // namespace brownout::embedded
")
