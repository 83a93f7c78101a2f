"""The web process below the application: HTTP/1 on asyncio, managed by gunicorn.

`worker` runs the loop, `connections` bounds who waits, `protocol` speaks HTTP and calls
downloads_project.asgi, and `bridge` runs Django in threads behind it.
"""
