"""The only outgoing HTTP: a file behind a link that a user gave us.

`hosts` and `targets` say where a link leads and whether we go there.
"""
