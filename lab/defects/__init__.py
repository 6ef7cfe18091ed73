"""Defects that are generated from the traffic of one clean run, each for one place on the wire.

`scenes` finds the place of an exchange, `edits` changes bytes, `generation` draws the defects and the
legal oddities, and `wrapped_service` puts one of them between a client and a service, as a proxy would. Must not
know the emulator, its control API or the checks.
"""
