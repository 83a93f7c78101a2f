"""The people who use the project."""
