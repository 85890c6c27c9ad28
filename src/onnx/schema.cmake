# The protobuf code of the ONNX schema, for the onnx folder only.
set(onnx_proto ${CMAKE_SOURCE_DIR}/build/third_party/onnx/onnx-ml.proto)
if(NOT EXISTS ${onnx_proto})
  message(FATAL_ERROR "build/third_party/onnx/onnx-ml.proto is missing: run tools/setup (or tools/fetch_onnx_schema alone)")
endif()
set(onnx_generated ${CMAKE_CURRENT_BINARY_DIR}/onnx_schema)
file(MAKE_DIRECTORY ${onnx_generated})
add_custom_command(
  OUTPUT ${onnx_generated}/onnx-ml.pb.cc ${onnx_generated}/onnx-ml.pb.h
  COMMAND protobuf::protoc --proto_path=${CMAKE_SOURCE_DIR}/build/third_party/onnx --cpp_out=lite:${onnx_generated} onnx-ml.proto
  DEPENDS ${onnx_proto} VERBATIM)
add_library(viva_onnx_schema OBJECT ${onnx_generated}/onnx-ml.pb.cc)
target_compile_options(viva_onnx_schema PRIVATE -w)
target_link_libraries(viva_onnx_schema PRIVATE protobuf::libprotobuf-lite)
target_sources(viva PRIVATE $<TARGET_OBJECTS:viva_onnx_schema>)
target_include_directories(viva_onnx SYSTEM PRIVATE ${onnx_generated})
add_dependencies(viva_onnx viva_onnx_schema)
