"""Routes: the operators' admin, and everything in the jobs app."""

from django.contrib import admin
from django.urls import include, path

from jobs.web.authentication import AdminSignInForm

handler400 = "jobs.web.error_handlers.bad_request"
handler403 = "jobs.web.error_handlers.permission_denied"
handler404 = "jobs.web.error_handlers.page_not_found"
handler500 = "jobs.web.error_handlers.server_error"

admin.site.site_header = admin.site.site_title = "Downloads"
admin.site.index_title = "Overview"
admin.site.index_template = "admin/overview.html"
admin.site.enable_nav_sidebar = False  # the tables need the width
admin.site.login_form = AdminSignInForm

urlpatterns = [
    path("", include("jobs.web.urls")),  # first: admin/retry/<id> is the API's
    path("admin/", admin.site.urls),
]
