"""The admin pages of accounts, and of the priority and share that operators give an owner."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import User
from django.http import HttpRequest

from jobs.lib.accounts import username_field
from jobs.models import OidcIdentity, Preferences
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


class OidcIdentityAdmin(Filtered, admin.ModelAdmin[OidcIdentity]):
    """Who signs in to which account. For superusers only: a row opens the account to somebody."""

    list_display = ["user", "subject", "issuer", "created_at"]
    list_select_related = ["user"]
    list_per_page = 50
    paginator = NewestPaginator
    search_fields = [f"user__{username_field()}", "subject"]
    show_full_result_count = False
    ordering = ["-id"]
    fields = ["user", "issuer", "subject"]
    autocomplete_fields = ["user"]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_active and getattr(request.user, "is_superuser", False))

    has_change_permission = has_delete_permission = has_view_permission

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)
