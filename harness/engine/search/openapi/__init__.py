"""The schema engine: runs all phases of schemathesis on the OpenAPI document of the API, resource by resource.

Layer 4. Only `engine` and `scenario_collector` know schemathesis. Its event objects are not a
stable API, so the extra `fuzz` pins its version.
"""

from harness.engine.search.openapi.engine import document
from harness.engine.search.openapi.scenario_collector import ENGINE

__all__ = ["ENGINE", "document"]
