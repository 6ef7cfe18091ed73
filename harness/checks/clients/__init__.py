"""What is asked of clients of the API: the modes, cases and rules of `harness torture`, and the judge of results.

Layer 2. `sets` says what a client is asked to do and what happens to it, and `result_comparison` what it must end
up with. `harness.interactions` hands all of it to `benches/client`, which plays the cases.
"""
