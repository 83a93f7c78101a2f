"""The other side of a link, as bad as it gets: an HTTP server that lies, stalls and breaks off.

    with Peer() as peer:
        good = peer.serve("/good.zip", File(size=5_000_000))
        bad = peer.serve("/bad.zip", replace(MODES["drops-at-60-percent"], size=5_000_000))

server.py is the Peer and what can be asked of it; content.py has the bytes of a File, honest.py
what a good server answers, exchange.py the wire, tally.py what was asked and sent. A mode is a
function that answers one exchange: lies.py, changes.py, breaks.py, refusals.py and redirects.py
have all we know, turns.py makes one follow another, modes.py lists them by name. The tests here
show with visit.py that each does what its name says.

rebinding.py is a name that points elsewhere the second time; fast.py a good server in a process
of its own, for benchmarks.
"""
