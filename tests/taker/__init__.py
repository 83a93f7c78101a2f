"""The service with a URL that takes a form and returns its content, for tests of the parser."""
