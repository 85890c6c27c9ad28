# The schema and the style sheet become strings of the library.
set(schema ${CMAKE_SOURCE_DIR}/src/report/report.schema.json)
set(style ${CMAKE_SOURCE_DIR}/src/report/web/report.css)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${schema} ${style})
file(READ ${schema} REPORT_SCHEMA)
file(READ ${style} REPORT_STYLE)
configure_file(${CMAKE_SOURCE_DIR}/src/report/embedded.cpp.in ${CMAKE_BINARY_DIR}/report/embedded.cpp @ONLY)
target_sources(viva_report PRIVATE ${CMAKE_BINARY_DIR}/report/embedded.cpp)
