"""The admin pages of accounts, and of the priority and share that operators give an owner."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import User
from django.http import HttpRequest

from jobs.models import Preferences
from jobs.operations.admin.shared import OWNER_NAME, Filtered, NewestPaginator


class Accounts(Filtered, UserAdmin[User]):
    """Django's own."""


class Groups(Filtered, GroupAdmin):
    """Django's own."""


class PreferencesAdmin(Filtered, admin.ModelAdmin[Preferences]):
    """The highest priority of an owner, and their share. Other preferences are not shown."""

    list_display = ["owner", "most_urgent", "weight", "email"]
    list_select_related = ["owner"]
    list_per_page = 50
    paginator = NewestPaginator
    search_fields = [OWNER_NAME]
    show_full_result_count = False
    ordering = [OWNER_NAME]
    fields = ["owner", "most_urgent", "weight"]
    autocomplete_fields = ["owner"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["owner"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(
        self,
        request: HttpRequest,
        obj: Preferences,
        form: forms.ModelForm[Preferences],
        change: bool,
    ) -> None:
        # The owner may change the other columns at the same time.
        obj.save(update_fields=["most_urgent", "weight"] if change else None)
