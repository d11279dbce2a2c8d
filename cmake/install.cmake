# What `cmake --install` puts where: the program with its manual, and for programs of others the engine's libraries
# and headers, to be found by find_package(brownout). tests/consumer builds against it.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(brownout_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/brownout)

install(TARGETS brownout RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

# The manual page and the completions are what the program says of itself.
set(own_words ${PROJECT_BINARY_DIR}/own-words)
add_custom_command(
  OUTPUT ${own_words}/brownout.1 ${own_words}/brownout.bash ${own_words}/brownout.zsh
         ${own_words}/brownout.fish
  COMMAND ${CMAKE_COMMAND} -E make_directory ${own_words}
  COMMAND brownout man > ${own_words}/brownout.1
  COMMAND brownout completion bash > ${own_words}/brownout.bash
  COMMAND brownout completion zsh > ${own_words}/brownout.zsh
  COMMAND brownout completion fish > ${own_words}/brownout.fish
  DEPENDS brownout COMMENT "Writing the manual page and completions" VERBATIM)
add_custom_target(brownout_own_words ALL DEPENDS ${own_words}/brownout.1)
install(FILES ${own_words}/brownout.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${own_words}/brownout.bash RENAME brownout
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${own_words}/brownout.zsh RENAME _brownout
        DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES ${own_words}/brownout.fish
        DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)

# Includes are written from the root ("engine/policy/breaker.hpp"), so the headers get a root too.
install(DIRECTORY engine DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/brownout
        FILES_MATCHING PATTERN "*.hpp")
install(DIRECTORY scenarios/policies scenarios/schema
        DESTINATION ${CMAKE_INSTALL_DATADIR}/brownout)

# brownout_engine becomes brownout::engine: every library that brownout_library() was told to
# PUBLISH.
get_property(published GLOBAL PROPERTY brownout_published)
foreach(library IN LISTS published)
  string(REPLACE "brownout_" "" name ${library})
  set_target_properties(${library} PROPERTIES EXPORT_NAME ${name})
endforeach()
install(TARGETS ${published} EXPORT brownoutTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/brownout)
install(EXPORT brownoutTargets NAMESPACE brownout:: DESTINATION ${brownout_package_dir})

configure_package_config_file(cmake/brownoutConfig.cmake.in
  ${PROJECT_BINARY_DIR}/brownoutConfig.cmake INSTALL_DESTINATION ${brownout_package_dir}
  PATH_VARS CMAKE_INSTALL_DATADIR)
# Before 1.0 a minor version may break what was built against the last.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/brownoutConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/brownoutConfig.cmake
              ${PROJECT_BINARY_DIR}/brownoutConfigVersion.cmake
              cmake/Findprometheus_core.cmake
              cmake/Findhiredis.cmake
              cmake/Findxxhash.cmake
        DESTINATION ${brownout_package_dir})
