"""Native endpoints: the busiest requests, answered on the event loop. Polls, events and starts.

They only send 200, 202, 204 and 304. All other requests go to Django, which has the same endpoints
and sends all errors.
"""
