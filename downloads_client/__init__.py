"""A client of the HTTP API, for a terminal or a script: ask, follow, fetch, verify.

Knows the service as anybody does who read its contract: no Django, no settings, no database.
`manage.py download` reads the arguments and calls Errand.
"""
