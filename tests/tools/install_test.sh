#!/usr/bin/env bash
# An installed Viva: a program outside the tree is built against it by plain CMake, and by pkg-config, after the folder
# has been moved; and nothing is installed but what belongs there.
set -euo pipefail
build=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
value() { sed -nE "s/^$1:[A-Z]+=(.*)/\1/p" "$build/CMakeCache.txt"; }
if [ -n "$(value VIVA_SANITIZE)" ]; then echo 'an instrumented library is not for installing'; exit; fi
if [ ! -x "$build/viva" ]; then echo "install_test: build $build first" >&2; exit 1; fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/first" >"$work/log"
cmake --install "$build" --prefix "$work/first" >"$work/again"
if grep -q 'Installing:.*\.h$' "$work/again"; then echo 'headers are installed again although none has changed' >&2; exit 1; fi
mv "$work/first" "$work/moved"
prefix=$work/moved

# Under include/ stands viva/ alone, under it only what the public headers include.
[ "$(ls "$prefix/include")" = viva ]
for header in error.h file.h; do [ ! -e "$prefix/include/viva/base/$header" ]; done
if grep -rn '#include "' "$prefix/include" | grep -v '#include "viva/'; then echo 'a header outside viva/' >&2; exit 1; fi
if grep -rE '#include <(nlohmann|fmt|google|dnnl|onnx)' "$prefix/include"; then echo "a library's header" >&2; exit 1; fi
"$prefix/bin/viva" ops >/dev/null

mkdir "$work/app"
cat >"$work/app/main.cpp" <<'CPP'
#include <viva/viva.h>

#include <cstdio>
using namespace viva;

int main() {
  const auto f = [](Tensor x) { return sum(square(x) * x); };
  const auto second = compile(hvp(f));
  save_onnx("f.onnx", f, shape(3));
  std::printf("%g %g\n", second(tensor({1, 2, 3}), tensor({0, 1, 0})).array().at(1), load_onnx("f.onnx")(tensor({1, 2, 3})).item());
}
CPP
cat >"$work/app/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(app LANGUAGES CXX)
find_package(viva 0.1 REQUIRED)
add_executable(app main.cpp)
target_link_libraries(app PRIVATE viva::viva)
CMAKE
compiler=$(value CMAKE_CXX_COMPILER)
cmake -S "$work/app" -B "$work/app/build" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_EXPORT_COMPILE_COMMANDS=ON >"$work/log"
cmake --build "$work/app/build" >"$work/log" || { cat "$work/log"; exit 1; }
if grep -E -- '-march|-ffp-contract|-Werror' "$work/app/build/compile_commands.json"; then echo "the library's flags reach the program" >&2; exit 1; fi
cd "$work"
[ "$(app/build/app)" = '12 36' ]

if command -v pkg-config >/dev/null; then
  PKG_CONFIG_PATH=$prefix/lib/pkgconfig:$prefix/lib64/pkgconfig
  export PKG_CONFIG_PATH
  # shellcheck disable=SC2046  # a list of options
  "$compiler" app/main.cpp $(pkg-config --cflags --libs viva) -o by_pkg_config
  [ "$(./by_pkg_config)" = '12 36' ]
fi
echo 'an installed viva builds a program outside the tree'
