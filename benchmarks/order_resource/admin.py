"""An app that gives the orders of the example a resource of django-import-export."""

from __future__ import annotations

from import_export.fields import Field
from import_export.resources import ModelResource
from orders.admin import OrderAdmin
from orders.models import Order


class OrderResource(ModelResource):
    buyer = Field(column_name="Bought by")

    class Meta:
        model = Order
        fields = ("id", "placed_at", "buyer", "total")

    def dehydrate_buyer(self, order: Order) -> str:
        return order.customer.upper()


OrderAdmin.resource_classes = [OrderResource]
