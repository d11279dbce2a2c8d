# brownout_embed(TARGET NAME FILE…): compiles files into a target, byte by byte, as
#
#     namespace brownout::embedded { std::span<const File> NAME(); }
#
# which whoever uses it declares; reports/embedded.hpp has File. Files are found by their names
# without folders, and keep the order given. They are read when the target is built, so a file that
# changes is embedded anew.
function(brownout_embed target name)
  set(files "")
  foreach(file IN LISTS ARGN)
    get_filename_component(file ${file} ABSOLUTE)
    list(APPEND files ${file})
  endforeach()
  set(source ${CMAKE_CURRENT_BINARY_DIR}/embedded/${name}.cpp)
  string(JOIN "|" joined ${files})  # a list would be taken apart on its way
  add_custom_command(OUTPUT ${source}
    COMMAND ${CMAKE_COMMAND} -D NAME=${name} -D SOURCE=${source} -D "FILES=${joined}"
            -P ${PROJECT_SOURCE_DIR}/cmake/embed_files.cmake
    DEPENDS ${files} ${PROJECT_SOURCE_DIR}/cmake/embed_files.cmake
    COMMENT "Embedding ${name}" VERBATIM)
  target_sources(${target} PRIVATE ${source})
endfunction()
