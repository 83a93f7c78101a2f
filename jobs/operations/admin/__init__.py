"""The operators' view: look, run again, cancel, send again. One thing is typed in: a priority.

Importing registers the pages.
"""

from __future__ import annotations

from django.contrib import admin
from django_celery_results.models import GroupResult
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from jobs.operations.admin import files, jobs, notifications, owners
from jobs.web.authentication import AdminSignInForm

__all__ = ["files", "jobs", "notifications", "owners"]

admin.site.site_header = admin.site.site_title = "Downloads"
admin.site.index_title = "For operators"
admin.site.enable_nav_sidebar = False  # the tables need the room
admin.site.login_form = AdminSignInForm
admin.site.unregister(GroupResult)  # the service makes none
admin.site.unregister([OutstandingToken, BlacklistedToken])  # other people's, in full
