# What `cmake --install` lays down: headers, the library, the binary, and how CMake and pkg-config find them.
include(CMakePackageConfigHelpers)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/trunkline DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN *.hpp)
install(TARGETS trunkline EXPORT trunkline ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET trunkline_cli)
  install(TARGETS trunkline_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/trunkline)
install(EXPORT trunkline NAMESPACE trunkline:: FILE trunkline-targets.cmake DESTINATION ${package_folder})
configure_package_config_file(cmake/trunkline-config.cmake.in trunkline-config.cmake
                              INSTALL_DESTINATION ${package_folder} NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor version may break its users, so only the same minor version will do.
write_basic_package_version_file(trunkline-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/trunkline-config.cmake ${PROJECT_BINARY_DIR}/trunkline-config-version.cmake
        DESTINATION ${package_folder})

# Relative to the file itself, so that an installed tree may be moved.
file(RELATIVE_PATH TRUNKLINE_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/trunkline.pc.in trunkline.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/trunkline.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
