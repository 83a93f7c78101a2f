from __future__ import annotations

from typing import Any

from django.contrib import admin

from jobs.kinds.model_export.admin import ExportInBackground
from orders.models import Order


@admin.register(Order)
class OrderAdmin(ExportInBackground, admin.ModelAdmin[Any]):
    list_display = ("pk", "placed_at", "customer", "total", "is_paid")
    list_filter = ("is_paid", "placed_at")
    search_fields = ("customer",)
