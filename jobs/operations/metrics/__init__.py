"""Prometheus metrics of web, workers and dispatchers. docs/metrics.md lists them."""
