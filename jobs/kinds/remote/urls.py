"""URLs of links. Browsers get the pages of all downloads at the paths of the API."""

from __future__ import annotations

from django.urls import path

from jobs.kinds.remote import api, form
from jobs.web import converters as converters  # registers `<job:...>`
from jobs.web.content_negotiation import page_or_api
from jobs.web.pages import job, my_downloads

links, one_link = api.Links.as_view(), api.Link.as_view()

urlpatterns = [
    path("downloads", page_or_api(my_downloads.my_downloads, links), name="downloads"),
    path("downloads/<job:job_id>", page_or_api(job.job_page, one_link), name="job-page"),
    path("downloads/<job:job_id>/status", api.LinkStatus.as_view(), name="link-status"),
    path("link", form.remote_form, name="link"),
]
