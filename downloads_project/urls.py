"""Routes: the operators' admin, and everything in the jobs app."""

from django.contrib import admin
from django.urls import include, path

handler400 = "jobs.web.api_responses.on_400"
handler403 = "jobs.web.api_responses.on_403"
handler404 = "jobs.web.api_responses.on_404"
handler500 = "jobs.web.api_responses.on_500"

urlpatterns = [
    path("", include("jobs.web.urls")),  # first: admin/retry/<id> is the API's
    path("admin/", admin.site.urls),
]
