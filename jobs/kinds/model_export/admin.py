"""ExportInBackground: a button "Export…" for any list in the admin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from jobs.kinds.model_export.resources import export_resources, resource_columns
from jobs.kinds.model_export.write import FORMATS, available_formats
from jobs.kinds.registry import KINDS
from jobs.models.preferences import can_be_mailed
from jobs.terms import Terms
from jobs.web.request_ids import request_id

Columns = Sequence[tuple[str, str]]  # the name and the header of each
PAGE_PARAMETERS = ("p", "all", "_popup", "_to_field")  # of a list, which do not select rows


class ExportForm(forms.Form):
    """The columns and the format of an export.

    `columns` has the names and headers of each resource, by its name; of the model by "". Of
    several resources, one is chosen with all of its columns.
    """

    resource = forms.ChoiceField(label="Resource", widget=forms.RadioSelect)
    fields_chosen = forms.MultipleChoiceField(label="Fields", widget=forms.CheckboxSelectMultiple)
    format = forms.ChoiceField(label="Format", widget=forms.RadioSelect)
    email = forms.BooleanField(label="Send an email when it is ready", required=False)

    def __init__(self, data: QueryDict | None, columns: Mapping[str, Columns], can_mail: bool):
        super().__init__(data)
        self._columns = columns
        if len(columns) > 1:
            del self.fields["fields_chosen"]
            self._offer("resource", [(name, name) for name in columns])
        else:
            del self.fields["resource"]
            [listed] = columns.values()
            self._offer("fields_chosen", listed)
            self.fields["fields_chosen"].initial = [name for name, _ in listed]
        self._offer("format", [(name, FORMATS[name].label) for name in available_formats()])
        if not can_mail:
            del self.fields["email"]

    def params(self) -> dict[str, Any]:
        """Return what the job needs of a valid form."""
        name = self.cleaned_data.get("resource", next(iter(self._columns)))
        chosen = self.cleaned_data.get("fields_chosen", [name for name, _ in self._columns[name]])
        return {"resource": name, "fields": chosen, "format": self.cleaned_data["format"]}

    def _offer(self, field_name: str, choices: Columns) -> None:
        field: Any = self.fields[field_name]
        field.choices, field.initial = choices, choices[0][0]


class ExportInBackground(admin.ModelAdmin):  # type: ignore[type-arg]
    """A mixin for a ModelAdmin: exports the list as it is filtered and searched, as a job.

    `ModelExport` must be in the setting KINDS; without it, there is no button. Who may view the
    model may export it, unless `has_export_permission` says otherwise. In front of import-export's
    ExportMixin, it takes over the button of that, and leaves the action for selected rows to it.
    """

    change_list_template = "admin/model_export/change_list.html"

    def has_export_permission(self, request: HttpRequest) -> bool:
        theirs = getattr(super(), "has_export_permission", self.has_view_permission)
        return self.has_view_permission(request) and theirs(request)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.export_view)
        return [path("export/", view, name=self._export_url_name()), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        context = dict(extra_context or {})
        has_button = hasattr(self, "export_action")  # import-export's, with our URL
        if ModelExport.name in KINDS and self.has_export_permission(request) and not has_button:
            query = request.GET.copy()
            for name in PAGE_PARAMETERS:
                query.pop(name, None)
            url = reverse(f"{self.admin_site.name}:{self._export_url_name()}")
            context["export_url"] = f"{url}?{query.urlencode()}"
        return super().changelist_view(request, context)

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """Show or submit the form. The query is that of the list."""
        is_left_to_them = ModelExport.name not in KINDS or "export_items" in request.POST
        if is_left_to_them and hasattr(self, "export_action"):
            response: HttpResponse = self.export_action(request)
            return response
        if ModelExport.name not in KINDS or not self.has_export_permission(request):
            raise PermissionDenied
        user: Any = request.user
        data = request.POST if request.method == "POST" else None
        form = ExportForm(data, self._export_columns(request), can_be_mailed(user))
        if form.is_valid():
            try:
                return HttpResponseRedirect(self._submit(request, form))
            except LimitReached as error:
                form.add_error(None, str(error))
        context = {
            **self.admin_site.each_context(request),
            "title": f"Export {self.opts.verbose_name_plural}",
            "opts": self.opts,
            "form": form,
        }
        return TemplateResponse(request, "admin/model_export/form.html", context)

    def _export_columns(self, request: HttpRequest) -> dict[str, Columns]:
        if resources := export_resources(self, request):
            return {name: resource_columns(each) for name, each in resources.items()}
        fields = self.model._meta.concrete_fields
        return {"": [(field.name, str(field.verbose_name).capitalize()) for field in fields]}

    def _submit(self, request: HttpRequest, form: ExportForm) -> str:
        """Submit the job, and return the URL of its page."""
        user: Any = request.user
        job, _ = submit_job(
            owner=user,
            kind=ModelExport.name,
            params={
                "model": self.opts.label_lower,
                "title": str(self.opts.verbose_name_plural),
                "query": request.GET.urlencode(),
                **form.params(),
            },
            terms=Terms(priority=None, email=form.cleaned_data.get("email", False), webhook=None),
            request_id=request_id(request),
        )
        return reverse("job-page", args=[job.pk])

    def _export_url_name(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_export"
