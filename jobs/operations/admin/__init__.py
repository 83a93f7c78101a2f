"""The admin for operators: view, run again, cancel, send again. Importing registers the pages."""

from __future__ import annotations

from django.contrib import admin
from django_celery_results.models import GroupResult
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from jobs.operations.admin import files, jobs, notifications, owners, task_results
from jobs.web.authentication import AdminSignInForm

__all__ = ["files", "jobs", "notifications", "owners", "task_results"]

admin.site.site_header = admin.site.site_title = "Downloads"
admin.site.index_title = "For operators"
admin.site.enable_nav_sidebar = False  # the tables need the width
admin.site.login_form = AdminSignInForm
admin.site.unregister(GroupResult)  # not used
admin.site.unregister([OutstandingToken, BlacklistedToken])  # they show whole tokens
