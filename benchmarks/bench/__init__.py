"""The service against peers and limits. docs/benchmarks.md says how to run it and read it."""
