"""The inspector: a page at the root of a server of ours that shows its traffic as it flows, and can act on it.

Beside `report`. `Inspector` wraps a service: it serves the page itself, and while a page is open it observes the
traffic, judges the exchanges that have ended and sends the changes to the page (`feed`). `evidence` has the data
on request: details, snippets, a cassette. `page/` is the page: plain modules and CSS, served as they are. Imports
nothing of the API.
"""

from harness.inspector.inspector import Actions, Inspector, is_for_page

__all__ = ["Inspector", "Actions", "is_for_page"]
