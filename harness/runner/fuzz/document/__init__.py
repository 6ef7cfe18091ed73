"""Engine: schemathesis on the project's OpenAPI document, in all its phases, one resource after the other.

Layer 4. Only `engine`, `hearing` and `judging` know schemathesis, whose event objects are not declared stable: the
extra pins it.
"""

from harness.runner.fuzz.document.engine import document
from harness.runner.fuzz.document.hearing import ENGINE

__all__ = ["ENGINE", "document"]
