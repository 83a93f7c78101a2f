"""The native endpoints, compared with Django's."""
