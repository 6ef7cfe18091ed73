"""The inspector: a page at the root of a server of ours that shows its traffic as it flows, and can act on it.

Layer 6, beside `report`. `Inspector` wraps a service: it answers for the page itself, and while a page is open it
observes the answers that pass (`journal`), judges those that have ended (`judging`) and tells the page (`feed`).
`evidence` holds what the page asks for: details, snippets, a cassette. `page/` is the page: plain modules and CSS,
served as they are. Imports nothing of the API.
"""

from harness.inspector.inspector import Actions, Inspector, is_for_page

__all__ = ["Inspector", "Actions", "is_for_page"]
