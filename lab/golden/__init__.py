"""Recordings of everything the commands print, to show that a change of the inside changes nothing outside.

`python -m lab golden record DIR` runs every item of the catalogue in `items` and writes one file for each;
`diff -ru A B` shows what differs between two such folders: JSON stands in them with one fact on a line.

Only the command line is used, never an inner module, so a recording can be made before and after modules move. The
one exception is `programs/gateways.py`, because no command serves a defective gateway.
"""
