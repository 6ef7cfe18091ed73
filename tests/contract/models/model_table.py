"""Write the table of models of docs/models.md: `python -m tests.contract.models.model_table` prints it."""

from __future__ import annotations

import sys

from harness.contract.models.profiles import list_models, write_value


def write_table() -> str:
    """Return the table of the documentation: what differs most between the models of /interactions."""
    rows = [
        "| Model | Makes | Levels (default) | History may end on a model turn | Segment | Lifecycle |",
        "|---|---|---|---|---|---|",
    ]
    for profile in list_models():
        levels = [f"**{one}**" if one == profile.value("default_level") else one for one in profile.levels or ()]
        row = (
            f"`{profile.name}`",
            "not on `/interactions`"
            if profile.served_elsewhere is not None
            else ", ".join(profile.value("output")),
            "?" if profile.levels is None else ", ".join(levels) or "none",
            "no" if profile.value("model_turn_last") == "refused" else "yes",
            "{streamed:,}; not streamed {whole:,}".format(**segment)
            if (segment := profile.value("segment"))
            else "",
            write_value(profile.value("lifecycle") or ""),
        )
        rows.append("| " + " | ".join(row) + " |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(write_table())
