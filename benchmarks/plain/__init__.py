"""Plain Django and plain Celery: what anybody would write first, for comparison."""
