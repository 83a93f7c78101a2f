"""Minimal Django and Celery applications, for comparison."""
