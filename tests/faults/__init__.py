"""Faults: the service in real processes, broken on purpose, and what must hold afterwards.

`make faults` runs every case, `make faults ARGS="-k zombie"` some; `make test` those that are not
marked long. A case is a test whose docstring says what is done. rig.py starts the processes, with
short clocks and a proxy (proxy.py) before each server, and judges each accepted job: I1 one final
state, none lost; I2 one object, byte for byte, and no other left; I3 one outcome; I4 a history of
one claim and one end for each attempt; I5 no answer of 500. Latency is a figure of the case.

sabotage.py makes a process die or freeze at a chosen line; conftest.py writes the table.
"""
