#!/usr/bin/env bash
# brownout ARGS in the caller's folder, built first where needed: for CI jobs and hooks that have
# these sources and nothing else. See docs/guide/ci.md.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

# What is installed already is taken as it is.
if [ -n "${BROWNOUT:-}" ]; then exec "$BROWNOUT" "$@"; fi

"$root/dev" build release brownout
exec "$root/build/release/brownout" "$@"
