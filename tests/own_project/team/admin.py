"""The admin site of the team."""

from django.contrib.admin import AdminSite

from jobs.web.authentication import AdminSignInForm


class TeamAdminSite(AdminSite):
    site_header = "The team's warehouse"
    login_form = AdminSignInForm  # counts wrong passwords
