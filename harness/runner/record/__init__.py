"""Makes recordings: a recorder between any client and a target, and sessions that record a library of scenarios.

Layer 4. `recorder` is what clients talk to; `scenarios` are what a session plays, by its own `driver`, and `proof`
says whether what came of it may be kept.
"""

from harness.runner.record.recorder import Recorder, Summary, provenance_of, recording_of, target_class

__all__ = ["Recorder", "Summary", "provenance_of", "recording_of", "target_class"]
