"""ExportInBackground: a button "Export…" for any list in the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import path, reverse

from jobs.engine.submission import submit_job
from jobs.errors import LimitReached
from jobs.kinds.model_export.kind import ModelExport
from jobs.kinds.model_export.write import FORMATS, available_formats
from jobs.kinds.registry import KINDS
from jobs.models.preferences import can_be_mailed
from jobs.terms import Terms
from jobs.web.request_ids import request_id

PAGE_PARAMETERS = ("p", "all", "_popup", "_to_field")  # of a list, which do not select rows


class ExportForm(forms.Form):
    """The fields and the format of an export."""

    fields_chosen = forms.MultipleChoiceField(label="Fields", widget=forms.CheckboxSelectMultiple)
    format = forms.ChoiceField(label="Format", widget=forms.RadioSelect)
    email = forms.BooleanField(label="Send an email when it is ready", required=False)

    def __init__(self, data: QueryDict | None, model: Any, can_mail: bool) -> None:
        super().__init__(data)
        columns = [(f.name, str(f.verbose_name).capitalize()) for f in model._meta.concrete_fields]
        chosen: Any = self.fields["fields_chosen"]
        chosen.choices, chosen.initial = columns, [name for name, _ in columns]
        formats: Any = self.fields["format"]
        formats.choices = [(name, FORMATS[name].label) for name in available_formats()]
        formats.initial = "csv"
        if not can_mail:
            del self.fields["email"]


class ExportInBackground(admin.ModelAdmin):  # type: ignore[type-arg]
    """A mixin for a ModelAdmin: exports the list as it is filtered and searched, as a job.

    `ModelExport` must be in the setting KINDS; without it, there is no button. Who may view the
    model may export it, unless `has_export_permission` says otherwise.
    """

    change_list_template = "admin/model_export/change_list.html"

    def has_export_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.export_view)
        return [path("export/", view, name=self._export_url_name()), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        context = dict(extra_context or {})
        if ModelExport.name in KINDS and self.has_export_permission(request):
            query = request.GET.copy()
            for name in PAGE_PARAMETERS:
                query.pop(name, None)
            url = reverse(f"{self.admin_site.name}:{self._export_url_name()}")
            context["export_url"] = f"{url}?{query.urlencode()}"
        return super().changelist_view(request, context)

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """Show or submit the form. The query is that of the list."""
        if ModelExport.name not in KINDS or not self.has_export_permission(request):
            raise PermissionDenied
        user: Any = request.user
        data = request.POST if request.method == "POST" else None
        form = ExportForm(data, self.model, can_be_mailed(user))
        if form.is_valid():
            try:
                return HttpResponseRedirect(self._submit(request, form.cleaned_data))
            except LimitReached as error:
                form.add_error(None, str(error))
        context = {
            **self.admin_site.each_context(request),
            "title": f"Export {self.opts.verbose_name_plural}",
            "opts": self.opts,
            "form": form,
        }
        return TemplateResponse(request, "admin/model_export/form.html", context)

    def _submit(self, request: HttpRequest, chosen: dict[str, Any]) -> str:
        """Submit the job, and return the URL of its page."""
        user: Any = request.user
        job, _ = submit_job(
            owner=user,
            kind=ModelExport.name,
            params={
                "model": self.opts.label_lower,
                "title": str(self.opts.verbose_name_plural),
                "query": request.GET.urlencode(),
                "fields": chosen["fields_chosen"],
                "format": chosen["format"],
            },
            terms=Terms(priority=None, email=chosen.get("email", False), webhook=None),
            request_id=request_id(request),
        )
        return reverse("job-page", args=[job.pk])

    def _export_url_name(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_export"
