"""The endpoints that most requests go to, answered on the event loop: polls, events, starts.

They give the answers 200, 202 and 304, where they are sure of them. Everything else they leave to
Django, which has the same endpoints: it alone refuses, and says why.
"""
