"""Routes: the operators' admin, and everything in the jobs app."""

from django.contrib import admin
from django.urls import include, path

handler400 = "jobs.web.error_responses.bad_request"
handler403 = "jobs.web.error_responses.permission_denied"
handler404 = "jobs.web.error_responses.page_not_found"
handler500 = "jobs.web.error_responses.server_error"

urlpatterns = [
    path("", include("jobs.web.urls")),  # first: admin/retry/<id> is the API's
    path("admin/", admin.site.urls),
]
