"""A command-line client of the HTTP API: create a download, wait for it, fetch and verify the file.

Needs no Django, settings or database. Run it as `downloads`, as `python -m downloads_client`, or as
`manage.py download`.
"""
