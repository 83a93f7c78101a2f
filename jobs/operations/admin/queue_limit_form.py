"""The form of a limit. What it is about is chosen once; after that, only the limit changes."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from jobs.kinds.registry import KINDS
from jobs.models import QueueLimit

Scope = QueueLimit.Scope
SCOPES = {
    Scope.SERVICE: "The whole service",
    Scope.KIND: "A kind",
    Scope.OWNER: "An owner, or each owner",
    Scope.KEY: "A concurrency key, such as the host of links, or each key",
}


class QueueLimitForm(forms.ModelForm[QueueLimit]):
    """Fields of other scopes than the chosen one are ignored; admin.css hides them."""

    scope = forms.ChoiceField(choices=list(SCOPES.items()), label="Limit or pause")
    kind = forms.ChoiceField(required=False)
    username = forms.CharField(
        required=False, max_length=150, label="Owner", help_text="A username. Empty: each owner."
    )
    key = forms.CharField(
        required=False,
        max_length=255,
        label="Concurrency key",
        help_text="For links, the host without a port: example.org. Empty: each key.",
    )

    class Meta:
        model = QueueLimit
        fields = ["scope", "max_running", "is_paused", "reason"]
        labels = {"max_running": "Jobs at once"}
        widgets = {"reason": forms.TextInput(attrs={"class": "vTextField"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None:
            for name in ("scope", "kind", "username", "key"):
                del self.fields[name]
            return
        kinds = sorted((name, f"{kind.label} ({name})") for name, kind in KINDS.items())
        choices: Any = self.fields["kind"]
        choices.choices = [("", "---------"), *kinds]

    def clean_username(self) -> User | None:
        users, username = get_user_model(), self.cleaned_data["username"]
        if not username or self.cleaned_data.get("scope") != Scope.OWNER:
            return None
        owner = users.objects.filter(**{users.USERNAME_FIELD: username}).first()
        if owner is None:
            raise ValidationError(f"There is no user “{username}”.")
        return owner

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        is_new, scope = self.instance.pk is None, cleaned.get("scope")
        if is_new and scope == Scope.KIND and not cleaned.get("kind") and "kind" not in self.errors:
            self.add_error("kind", "Choose a kind.")
        limits_nothing = cleaned.get("max_running") is None and not cleaned.get("is_paused")
        if is_new and limits_nothing and "max_running" not in self.errors:
            self.add_error("max_running", "Enter how many may run at once, or pause it.")
        return cleaned

    def _post_clean(self) -> None:
        """Set what the row is about, and check the table's constraints with it."""
        if self.instance.pk is None:
            cleaned, scope = self.cleaned_data, self.cleaned_data.get("scope")
            name = {Scope.KIND: "kind", Scope.KEY: "key"}.get(scope or "", "")
            self.instance.name = cleaned.get(name) or ""
            self.instance.owner = cleaned.get("username")
        super()._post_clean()  # type: ignore[misc]
        if not self.errors:
            try:
                self.instance.validate_constraints()
            except ValidationError as error:
                self.add_error(None, error.messages)
