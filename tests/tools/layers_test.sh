#!/usr/bin/env bash
# tools/layers must accept a sound tree and catch each kind of wrong include when it is planted.
set -euo pipefail
layers=$(cd "$(dirname "$0")/../.." && pwd)/tools/layers

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failed=0

# put FILE LINE…: a file of the tree made of these lines
put() { mkdir -p "$tree/$(dirname "$1")"; printf '%s\n' "${@:2}" >"$tree/$1"; }

sound() {
  rm -rf "${tree:?}"/*
  put src/CMakeLists.txt 'viva_folder(base ZLIB::ZLIB)' 'viva_folder(graph)' 'viva_folder(cpu)' 'viva_folder(onnx)'
  put src/base/array.h '#include <vector>'
  put src/graph/graph.h '#include "base/array.h"' '#include "graph/node.h"'
  put src/graph/node.h '// llvm::Value in a comment' 'auto s = "onnx::Node"; viva::onnx::import();'
  put src/onnx/import.cpp '#include "graph/graph.h"' '#include "onnx-ml.pb.h"' '#include <google/protobuf/arena.h>' '::onnx::ModelProto m;'
  put src/cpu/onednn/matmul.cpp '#include <dnnl.hpp>' 'dnnl::engine e;'
  put src/cpu/plan.h '#  include "base/array.h"'
  put tests/graph/graph_test.cpp '#include "graph/graph.h"' '#include "support/trees.h"'
  put tests/support/trees.h
}

# catches WHAT FILE LINE PATTERN: with LINE as the whole of FILE the tool fails and says PATTERN
catches() {
  local said
  sound
  put "$2" "$3"
  if said=$("$layers" "$tree" 2>&1); then
    echo "FAILED: $1 was not caught" && failed=1
  elif ! grep -qE "$4" <<<"$said"; then
    printf 'FAILED: %s: the message does not match %s:\n%s\n' "$1" "$4" "$said" && failed=1
  fi
}

sound
"$layers" "$tree" || { echo 'FAILED: the sound tree was refused' && failed=1; }

catches 'an include of a later folder' src/base/array.h '#include "graph/graph.h"' '^src/base/array.h:1: .*graph/ comes after base/'
catches 'cpu seen by onnx' src/onnx/import.cpp '#include "cpu/plan.h"' 'do not see each other'
catches 'a folder without a layer' src/extra/new.h '#include "base/array.h"' 'extra/ is not listed'
catches 'a missing header' src/graph/graph.h '#include "base/none.h"' 'no such file'
catches 'a path relative to the file' src/graph/graph.h '#include "node.h"' 'no such file'
catches 'a path upwards' src/graph/graph.h '#include "../base/array.h"' 'write the path from src/'
catches 'an indented wrong include' src/base/array.h ' #  include "graph/graph.h"' 'comes after'
catches 'oneDNN outside its folder' src/cpu/plan.h '#include <dnnl.hpp>' 'src/cpu/onednn/ alone'
catches 'oneDNN under its other name' src/cpu/plan.h '#include <oneapi/dnnl/dnnl.hpp>' 'src/cpu/onednn/ alone'
catches 'LLVM outside its folder' src/cpu/plan.h '#include <llvm/IR/Module.h>' 'src/cpu/jit/ alone'
catches 'an LLVM name' src/cpu/plan.h 'llvm::Module* module;' 'src/cpu/jit/ alone'
catches 'protobuf outside its folder' src/graph/graph.h '#include <google/protobuf/message.h>' 'src/onnx/ alone'
catches 'the ONNX schema outside its folder' src/graph/graph.h '#include "onnx-ml.pb.h"' 'src/onnx/ alone'
catches 'an ONNX name' src/graph/graph.h 'void f(const ::onnx::NodeProto&);' 'src/onnx/ alone'
catches 'protobuf in a test of another folder' tests/graph/graph_test.cpp '#include "onnx-ml.pb.h"' 'src/onnx/ alone'

sound
put src/graph/node.h 'namespace viva {' 'struct Node {' '};' '}  // namespace viva'
catches_second() { put src/cpu/plan.h 'namespace viva {' "$@" '}  // namespace viva'; ! "$layers" "$tree" >/dev/null 2>&1; }
catches_second 'struct Node {' '};' || { echo 'FAILED: a second type of one name was not caught' && failed=1; }
catches_second 'namespace {' 'struct Node {' '};' '}  // namespace' && { echo 'FAILED: a type of an unnamed namespace was refused' && failed=1; }
catches_second 'struct Edge {' '};' && { echo 'FAILED: a type of another name was refused' && failed=1; }

[ "$failed" -eq 0 ] && echo 'layers: all planted includes were caught'
exit "$failed"
