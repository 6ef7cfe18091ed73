"""The tasks of clients of the API: the modes, cases and rules of `harness torture`, and the judge of results.

`sets` has the tasks and the faults, and `result_comparison` the expected results. `harness.interactions` hands all
of it to `benches/client`, which runs the cases.
"""
