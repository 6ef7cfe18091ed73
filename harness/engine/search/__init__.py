"""Fuzzes a target with three engines: histories, stream laws, and the OpenAPI document.

Layer 4. The rules to test come from `contract`, the requests to send from `strategies`. The three engines share
`world` to play, `failure` to report, and `store` to keep what they found.
"""
