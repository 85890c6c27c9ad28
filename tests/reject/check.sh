#!/usr/bin/env bash
# check.sh SOURCE COMPILER FLAG…: SOURCE must not compile, and the compiler must say what its first line says after "// ".
set -euo pipefail
source=$1
shift
text=$(sed -n '1s,^// ,,p' "$source")
[ -n "$text" ] || { echo "$source: the first line names no message" >&2; exit 2; }
if output=$("$@" -std=c++20 -fsyntax-only "$source" 2>&1); then
  echo "$source: compiles" >&2
  exit 1
fi
case $output in
  *"$text"*) ;;
  *) printf '%s: "%s" is not in:\n%s\n' "$source" "$text" "$output" >&2; exit 1 ;;
esac
