# The program build/<preset>/viva. Its verbs stay out of the library; the tests link them too.
file(GLOB verbs CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/cli/*.cpp)
list(FILTER verbs EXCLUDE REGEX "/(main|start)\\.cpp$")
add_library(viva_verbs STATIC ${verbs})
viva_optimise(viva_verbs cli)
target_compile_definitions(viva_verbs PRIVATE VIVA_VERSION="${PROJECT_VERSION}")
target_link_libraries(viva_verbs PUBLIC viva nlohmann_json::nlohmann_json)

add_executable(viva_cli ${CMAKE_SOURCE_DIR}/src/cli/main.cpp ${CMAKE_SOURCE_DIR}/src/cli/start.cpp)
target_link_libraries(viva_cli PRIVATE viva_verbs)
set_target_properties(viva_cli PROPERTIES OUTPUT_NAME viva RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})

# Runs before the processor is known.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64")
  set_source_files_properties(${CMAKE_SOURCE_DIR}/src/cli/start.cpp PROPERTIES COMPILE_OPTIONS "-march=x86-64")
endif()
