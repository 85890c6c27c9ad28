#!/usr/bin/env bash
# shellcheck disable=SC2016  # the stand-ins expand when they run
# tools/setup against stand-ins for dpkg-query, apt-get and the schema: what it installs, when it waits, what it says.
set -euo pipefail
setup=$(cd "$(dirname "$0")/../.." && pwd)/tools/setup

box=$(mktemp -d)
trap 'rm -rf "$box"' EXIT
mkdir -p "$box/tree/tools" "$box/bin"
cp "$setup" "$box/tree/tools/setup"
export BOX=$box PATH=$box/bin:$PATH
failed=0

stand_in() { { echo '#!/bin/bash'; cat; } >"$1"; chmod +x "$1"; }
stand_in "$box/tree/tools/fetch_onnx_schema" <<<'echo schema >>"$BOX/calls"'
stand_in "$box/bin/dpkg-query" <<<'for p in "$@"; do case $p in -*) ;; *) grep -qx "$p" "$BOX/absent" || echo "installed $p" ;; esac; done'
stand_in "$box/bin/id" <<<'echo 0'
stand_in "$box/bin/sleep" <<<'echo sleep >>"$BOX/calls"'
# Does what the first line of $BOX/answers for its verb says: ok, locked or broken.
stand_in "$box/bin/apt-get" <<'STAND_IN'
while [[ $1 == -* ]]; do [ "$1" = -o ] && shift; shift; done
echo "apt-get $*" >>"$BOX/calls"
answer=$(sed -n "s/^$1 //p;" "$BOX/answers" | head -n 1)
sed -i "0,/^$1 /{/^$1 /d}" "$BOX/answers"
case ${answer:-ok} in
  locked) echo 'E: Could not get lock /var/lib/apt/lists/lock. It is held by process 1'; exit 100 ;;
  broken) printf 'Reading lists\nE: Unable to locate package ccache\n'; exit 100 ;;
esac
STAND_IN

# setup_with ABSENT ANSWERS [OPTION]: runs the script on that machine
setup_with() {
  printf '%s\n' "$1" >"$box/absent"
  printf '%s\n' "$2" >"$box/answers"
  : >"$box/calls"
  status=0
  said=$("$box/tree/tools/setup" ${3:+"$3"} 2>&1 </dev/null) || status=$?
}
# expect WHAT STATUS CALLS [PATTERN in what it said]
expect() {
  local calls
  calls=$(paste -sd ';' "$box/calls")
  if [ "$status" -ne "$2" ] || [ "$calls" != "$3" ] || ! grep -qE "${4-}" <<<"$said"; then
    printf 'FAILED: %s: exit %s, calls "%s", said:\n%s\n' "$1" "$status" "$calls" "$said"
    failed=1
  fi
}

setup_with '' ''
expect 'all is there: apt is left alone' 0 'schema' '^$'
setup_with ccache ''
expect 'one package lacks' 0 'apt-get update;apt-get install --no-install-recommends ccache;schema' 'installing ccache'
setup_with clang-19 ''
expect 'what only developers need' 0 'schema'
setup_with clang-19 '' --develop
expect 'developers' 0 'apt-get update;apt-get install --no-install-recommends clang-19;schema'
setup_with ccache 'update locked'
expect 'lists are locked' 0 'apt-get update;sleep;apt-get update;apt-get install --no-install-recommends ccache;schema'
setup_with ccache 'update broken'
expect 'no update, yet the install goes' 0 'apt-get update;apt-get install --no-install-recommends ccache;schema' 'update failed'
setup_with ccache 'install broken'
expect 'install fails' 1 'apt-get update;apt-get install --no-install-recommends ccache' 'install failed: E: Unable to locate package ccache$'
setup_with '' '' --all
expect 'a wrong option' 1 '' "^tools/setup: unknown option '--all'"

[ "$failed" -eq 0 ] && echo 'setup: as expected on all machines'
exit "$failed"
