"""Orders of a shop, and the invoices that it stores in a bucket of its own."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Order(models.Model):
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    placed_at = models.DateTimeField()
    customer = models.CharField(max_length=200)
    total = models.DecimalField(max_digits=10, decimal_places=2)
    is_paid = models.BooleanField(default=False)
    invoice_key = models.CharField(max_length=500, blank=True)  # of the object with its PDF

    class Meta:
        ordering = ["placed_at", "pk"]

    def __str__(self) -> str:
        return f"Order {self.pk} of {self.customer}"
