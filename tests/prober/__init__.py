"""An ASGI application that uses everything the web server offers, for tests of the server."""
