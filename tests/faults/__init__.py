"""Fault tests: break the service's processes and servers, then check every accepted job.

`make faults` runs every case, `make faults ARGS="-k zombie"` some of them; `make test-all` those
that are not marked long. The docstring of a test describes its fault, and is printed in the table
of results. rig.py starts the processes with short intervals and a proxy (proxy.py) in front of each
server. It checks each accepted job: I1 exactly one final state, no job lost; I2 one object with the
right bytes, and no other object left; I3 one outcome; I4 one claim and one end for each attempt in
the history; I5 no 500 response. Response times are figures of a case.

sabotage.py makes a process die or freeze at a chosen line; conftest.py prints the table.
"""
