"""Resources of django-import-export for the orders of the example."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from import_export.admin import ExportMixin
from import_export.fields import Field
from import_export.resources import ModelResource
from orders.models import Order

from jobs.kinds.model_export.admin import ExportInBackground


class OrderResource(ModelResource):
    buyer = Field(column_name="Bought by")
    total = Field(attribute="total", column_name="Amount")

    class Meta:
        model = Order
        fields = ("id", "buyer", "total", "is_paid")

    def dehydrate_buyer(self, order: Order) -> str:
        return order.customer.upper()


class PaidOrders(ModelResource):
    class Meta:
        model = Order
        fields = ("customer",)

    def __init__(self, **arguments: Any) -> None:
        super().__init__()
        self.user = arguments.get("user")

    def filter_export(self, queryset: Any, **kwargs: Any) -> Any:
        return queryset.filter(is_paid=True, owner=self.user)


class AllOfOrder(ModelResource):
    class Meta:
        model = Order


class MixedAdmin(ExportInBackground, ExportMixin, admin.ModelAdmin[Any]):
    """Has import-export's own mixin, too."""

    resource_classes = (OrderResource,)

    def export_action(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("import-export")
