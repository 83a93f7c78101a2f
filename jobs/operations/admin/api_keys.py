"""The admin pages of API keys: whose they are, what they may do, their last use; revoke."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from jobs.models import ApiKey
from jobs.operations.admin.cells import short_time
from jobs.operations.admin.shared import OWNER_NAME, Chosen, NewestPaginator, ReadOnly


class ApiKeyAdmin(Chosen, ReadOnly, admin.ModelAdmin[ApiKey]):
    """Keys themselves are stored nowhere, and secrets of webhooks are not shown."""

    list_display = ["name", "prefix", "owner", "allowed", "state", "last_used"]
    list_filter = [("revoked_at", admin.EmptyFieldListFilter)]
    list_select_related = ["owner"]
    unlisted = ("digest", "webhook", "webhook_secret")
    list_per_page = 50
    paginator = NewestPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    search_fields = ["prefix", OWNER_NAME]
    search_help_text = "The first characters of a key, or the name of its owner."
    ordering = ["-created_at"]
    sortable_by = ["name", "last_used"]
    actions = ["revoke_selected"]
    fields = (
        "name", "prefix", "owner", "allowed", "created_at", "expires_at", "last_used_at",
        "revoked_at",
    )  # fmt: skip
    readonly_fields = fields

    class Media:
        css = {"all": ["jobs/admin.css"]}

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ApiKey], search_term: str
    ) -> tuple[QuerySet[ApiKey], bool]:
        """Search for the beginning of a key, however much of it was found."""
        longest = ApiKey._meta.get_field("prefix").max_length
        term = search_term.strip()
        if term.startswith("dlk_"):
            return queryset.filter(prefix__startswith=term[:longest]), False
        return super().get_search_results(request, queryset, term)

    @admin.display(description="scopes")
    def allowed(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @admin.display(description="state")
    def state(self, key: ApiKey) -> str:
        if key.revoked_at:
            return "Revoked"
        return "Expired" if key.is_expired else "Active"

    @admin.display(description="last used", ordering="last_used_at")
    def last_used(self, key: ApiKey) -> str:
        return short_time(key.last_used_at) if key.last_used_at else "-"

    @admin.action(description="Revoke", permissions=["change"])
    def revoke_selected(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        revoked = 0
        for key in list(queryset):
            if ApiKey.objects.filter(pk=key.pk).revoke():
                self.log_change(request, key, "Revoked.")
                revoked += 1
        self.message_user(request, f"Revoked {revoked}.", messages.SUCCESS)
