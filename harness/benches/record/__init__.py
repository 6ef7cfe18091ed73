"""Makes recordings: a recorder between any client and a target, and sessions that record a library of scenarios.

Layer 5. Clients talk to `recorder`. A `session` runs `scenarios` through its own `driver`, and `proof` decides
whether the result may be kept.
"""

from harness.benches.record.recorder import Recorder, Summary, provenance_of, recording_of, target_class

__all__ = ["Recorder", "Summary", "provenance_of", "recording_of", "target_class"]
