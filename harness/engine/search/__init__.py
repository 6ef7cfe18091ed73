"""Fuzzes a target with three engines: histories, stream laws, and the OpenAPI document.

The rules to test come from `contract`, the requests to send from `strategies`. The three engines share
`search_target` to play, `shrink`, `failure` to report, and the `Store` of `run` to keep what they found.
"""
