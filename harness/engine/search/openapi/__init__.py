"""The schema engine: runs all phases of schemathesis on the project's OpenAPI document, resource by resource.

Layer 4. Only `engine`, `hearing` and `judging` know schemathesis. Its event objects are not a stable API, so the
extra `fuzz` pins its version.
"""

from harness.engine.search.openapi.engine import document
from harness.engine.search.openapi.scenario_collector import ENGINE

__all__ = ["ENGINE", "document"]
