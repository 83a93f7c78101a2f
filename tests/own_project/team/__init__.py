"""A project of a team's own, with the service in it: tests/test_own_project.py runs it."""
