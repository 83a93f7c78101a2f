"""The team's admin, in the place of Django's."""

from django.contrib.admin.apps import AdminConfig


class TeamAdmin(AdminConfig):
    default_site = "team.admin.TeamAdminSite"
