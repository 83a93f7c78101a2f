"""The team's pages, and the service's."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

handler400 = "jobs.web.error_handlers.bad_request"
handler403 = "jobs.web.error_handlers.permission_denied"
handler404 = "jobs.web.error_handlers.page_not_found"
handler500 = "jobs.web.error_handlers.server_error"


def team_page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("The team's own page.")


def team_upload(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(sum(file.size for file in request.FILES.values())))


urlpatterns = [
    path("team", team_page),
    path("team/upload", csrf_exempt(team_upload)),
    path("", include("jobs.web.urls")),
    path("admin/", admin.site.urls),
]
