"""A hostile HTTP server for tests of fetched links: it lies, stalls and drops connections.

    with Peer() as peer:
        good = peer.serve("/good.zip", File(size=5_000_000))
        bad = peer.serve("/bad.zip", replace(MODES["drops-at-60-percent"], size=5_000_000))

A mode is a function that responds to one exchange. modes.py lists them by name; they are in
lies.py, changes.py, breaks.py, refusals.py and redirects.py, and turns.py switches from one to
another. server.py has the Peer, content.py the content of a File, honest.py the response of a
correct server, exchange.py the ways to write a response, tally.py the recorded requests and
ranges. The tests here check with visit.py that each mode does what its name says.

rebinding.py makes a host name resolve to another address the second time. fast.py is a correct
server in a process of its own, for benchmarks.
"""
