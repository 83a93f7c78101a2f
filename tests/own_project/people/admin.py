"""The team's admin page of people."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from people.models import Person


@admin.register(Person)
class PersonAdmin(UserAdmin):
    list_display = ["email", "department"]
    ordering = ["email"]
