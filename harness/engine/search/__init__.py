"""Fuzzes a target with four engines: histories, stream laws, every short history, and the OpenAPI document.

Layer 4. The rules to test come from `contract`, the requests to send from `strategies`. The four engines share
`world` to play, `failure` to report, and `store` to keep what they found.
"""
