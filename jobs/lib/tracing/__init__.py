"""OpenTelemetry traces: see docs/tracing.md. Off unless settings.TRACING is true.

Import the modules of this package only where settings.TRACING is true: they need the packages of
requirements/tracing.txt, which take 0.4 s to load. `configuration` and `trace_ids` need none.
"""
