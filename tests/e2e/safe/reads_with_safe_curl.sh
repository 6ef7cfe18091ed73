#!/bin/sh
# Does the task of its environment with the lines for curl; what it prints is the result by its own protocol.
set -u
. "$(dirname "$0")/safe_curl.sh"
whole=$(ask "$INTERACTIONS_BASE_URL/v1beta/interactions" '{"model": "gemini-3.8-flash", "input": "Go.", "background": true}') || exit 1
printf '%s' "$whole" >"$HARNESS_RESULT"
