"""Compares the service with peers and limits. docs/benchmarks.md explains how to run it."""
