# cmake --install: the program, the static library, the public headers and what find_package(viva) and pkg-config read.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(viva_package ${CMAKE_INSTALL_LIBDIR}/cmake/viva)
# What the archive's objects call, in the order of linking. gomp is the compiler's own, for oneDNN.
set(VIVA_LIBRARIES fmt zip z crypto protobuf-lite dnnl)
string(REPLACE ";" " -l" viva_link "${VIVA_LIBRARIES}")
string(PREPEND viva_link "-l")

install(TARGETS viva ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS viva_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/viva-config.cmake.in ${CMAKE_BINARY_DIR}/package/viva-config.cmake
                              INSTALL_DESTINATION ${viva_package} PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/package/viva-config-version.cmake COMPATIBILITY SameMinorVersion)
file(RELATIVE_PATH viva_include_from_pc /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix/${CMAKE_INSTALL_INCLUDEDIR})
configure_file(${CMAKE_SOURCE_DIR}/cmake/viva.pc.in ${CMAKE_BINARY_DIR}/package/viva.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/package/viva-config.cmake ${CMAKE_BINARY_DIR}/package/viva-config-version.cmake
        DESTINATION ${viva_package})
install(FILES ${CMAKE_BINARY_DIR}/package/viva.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(CODE "set(VIVA_SOURCE_DIR \"${CMAKE_SOURCE_DIR}\")\nset(VIVA_INCLUDEDIR \"${CMAKE_INSTALL_INCLUDEDIR}\")")
install(SCRIPT ${CMAKE_SOURCE_DIR}/cmake/install_headers.cmake)
