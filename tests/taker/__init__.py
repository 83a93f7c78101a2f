"""The service with an address that takes a form and tells what it got, for tests of the reader."""
