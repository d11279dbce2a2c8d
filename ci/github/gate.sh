#!/usr/bin/env bash
# The step of action.yml, which says what the variables hold. A script of its own, so that a test
# can run it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

words() { grep -v '^[[:space:]]*$' <<<"$1" || true; }

mapfile -t scenarios < <(words "$SCENARIOS")
mapfile -t options < <(words "${OPTIONS:-}")
if [ -n "${BASELINE:-}" ]; then options+=(--baseline "$BASELINE"); fi
mkdir -p "$OUTPUT"
exec "$here/../brownout.sh" test "$POLICY" --scenarios "${scenarios[@]}" --seeds "$SEEDS" \
  --junit "$OUTPUT/brownout.xml" --json "$OUTPUT/brownout.json" --html "$OUTPUT/brownout.html" \
  "${options[@]}"
