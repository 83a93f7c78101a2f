"""The operators' overview, the first page of the admin: what is wrong, since when, and for whom.

Each module returns one part of the page. All of them read sums and indexes, never all jobs.
"""
