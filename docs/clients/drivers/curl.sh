#!/bin/sh
# curl in a script: what arrived is taken for the answer, unless curl says that it failed.
set -u
file=$(mktemp)
trap 'rm -f "$file"' EXIT
if [ "$HARNESS_MODE" = follow ]; then
  set -- "$INTERACTIONS_BASE_URL/v1beta/interactions/$INTERACTION_ID?stream=true"
else
  set -- "$INTERACTIONS_BASE_URL/v1beta/interactions" -H "content-type: application/json" \
    -d '{"model": "gemini-3.8-flash", "input": "Go.", "stream": true}'
fi
curl -fsSN --max-time 5 -H "x-goog-api-key: $GEMINI_API_KEY" "$@" >"$file" || exit $?
sed -n 's/^data:.*"delta": *{\("type": *"text", *\)\{0,1\}"text": *"\([^"]*\)".*/\2/p' "$file" | tr -d '\n'
