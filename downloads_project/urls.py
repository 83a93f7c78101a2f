"""Routes: the operators' admin, and everything in the jobs app."""

from django.contrib import admin
from django.urls import include, path

handler400 = "jobs.web.error_handlers.bad_request"
handler403 = "jobs.web.error_handlers.permission_denied"
handler404 = "jobs.web.error_handlers.page_not_found"
handler500 = "jobs.web.error_handlers.server_error"

urlpatterns = [
    path("", include("jobs.web.urls")),  # first: admin/retry/<id> is the API's
    path("admin/", admin.site.urls),
]
