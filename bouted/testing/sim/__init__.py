"""A simulated world for the real daemon: virtual time, a cloud with faults, crashes, and what must hold.

`simulate(script_of(seed))` runs one day; plug-in writers can hold their own policies against it.
"""
