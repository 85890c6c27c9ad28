#!/usr/bin/env bash
# The touch budgets: what an operation, a pass, a transformation with rules and an examiner may touch. The patches in
# tests/touch add one of each; they must still apply, and to the files and lines of their budget alone. With VIVA_LONG a
# copy of the tree is built with all four, and each new thing must show up and work.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$1" && pwd)
tree=$build/touch/tree
failed=0
export GIT_CEILING_DIRECTORIES=$build  # the tree is no part of a repository
complain() { printf 'FAILED: %s\n' "$*" && failed=1; }

rm -rf "$tree"
mkdir -p "$tree"
tar c -C "$root" --exclude=./build --exclude=./.git . | tar x -C "$tree"

# budget PATCH RULE…: a rule is "FILES LINES", a pattern of paths and how many lines may be added to each; "new" in the
# place of the number: the file must be a new one. A rule that no file meets fails as well.
budget() {
  local patch=$root/tests/touch/$1.patch rule pattern lines added removed path fits
  local -A met=()
  (cd "$tree" && git apply --check "$patch") || { complain "$1.patch does not apply"; return; }
  while read -r added removed path; do
    fits=
    for rule in "${@:2}"; do
      read -r pattern lines <<<"$rule"
      if ! [[ $path =~ ^($pattern)$ ]]; then continue; fi
      if [ "$lines" = new ] && [ -e "$root/$path" ]; then continue; fi
      if [ "$lines" != new ] && { [ "$added" -gt "$lines" ] || [ "$removed" -gt 1 ]; }; then continue; fi
      fits=1 met[$rule]=1
    done
    [ -n "$fits" ] || complain "$1.patch: $path (+$added -$removed) is outside the budget"
  done < <(cd "$tree" && git apply --numstat "$patch")
  for rule in "${@:2}"; do [ -n "${met[$rule]-}" ] || complain "$1.patch: nothing meets '$rule'"; done
}

# apply PATCH: for good.
apply() { (cd "$tree" && git apply "$root/tests/touch/$1.patch"); }

# One record and one line of its family's list, in one file.
budget operation 'src/ops/[a-z]+\.cpp 9'
list_lines=$(grep -cE '^\+ +&(record<[A-Za-z0-9]+>|[a-z_0-9]+_record),$' "$root/tests/touch/operation.patch")
[ "$list_lines" -eq 1 ] || complain "operation.patch: $list_lines lines of the list"
# One file and its entry in the pipeline, a declaration and a line.
budget pass 'src/transform/[a-z_]+\.cpp new' 'src/transform/pipeline\.cpp 2' 'tests/golden/.*\.viva new'
# One file, its declaration, and one field of the record: what a rule is, the field with its default, its place in the
# matrix; then the rules, each in its operation's file.
budget transformation 'src/transform/[a-z_]+\.cpp new' 'src/transform/transform\.h 3' 'src/graph/opdef\.h 6' \
  'src/ops/[a-z]+\.cpp 9' 'tests/transform/[a-z_]+_test\.cpp new'
# One file, its entry in the list, a declaration and a line, and one test of known answers.
budget examiner 'src/examine/[a-z_]+\.cpp new' 'src/examine/list\.cpp 2' 'tests/known/[a-z_]+_test\.cpp new'

if [ -n "${VIVA_LONG-}" ] && [ "$failed" -eq 0 ]; then
  for patch in operation pass transformation examiner; do apply "$patch"; done
  mkdir -p "$tree/build"
  cp -r "$build/../third_party" "$tree/build/"
  made=$build/touch/build
  cmake -S "$tree" -B "$made" -G Ninja -DCMAKE_BUILD_TYPE=None >/dev/null
  cmake --build "$made" --parallel "$(nproc)" --target viva_cli test_laws test_golden test_transform test_known >/dev/null
  viva=$(find "$made" -name viva -type f -perm -u+x | head -n 1)
  # shows WHAT PATTERN COMMAND…
  shows() { "${@:3}" 2>&1 | grep -qE "$2" || complain "$1 does not show"; }
  # passes TESTS FILTER: these tests exist and pass.
  passes() {
    "$made/tests/test_$1" --gtest_filter="$2" >"$made/$1.log" 2>&1 && grep -qE '^\[  PASSED  \] [1-9]' "$made/$1.log" ||
      { tail -n 20 "$made/$1.log"; complain "test_$1 $2"; }
  }
  shows 'the operation' 'sinh' "$viva" ops
  shows 'the operation in the reference' '^\| `sinh` \| the hyperbolic sine' "$viva" ops --markdown
  shows 'the transformation' 'magnitude' "$viva" ops --json
  passes laws '*/sinh:*/reduce_sum'
  passes golden '*product_over_nothing*'
  passes transform 'Magnitude.*'
  passes known 'Variety.*'
fi
rm -rf "$tree"
[ "$failed" -eq 0 ] && echo 'the touch budgets hold'
exit "$failed"
