"""An ASGI application that uses all that the web server offers, for tests of the server itself."""
