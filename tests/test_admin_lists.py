"""The admin's lists read and render no more than they show."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client

from jobs.models import DownloadJob, Notification
from tests.factories import JobFactory, NotificationFactory


@pytest.mark.parametrize(
    ("path", "large"),
    [
        ("/admin/jobs/downloadjob/", ["params", "metadata"]),
        ("/admin/jobs/notification/", ["content", "params", "metadata"]),
    ],
)
def test_large_columns_are_not_read(
    admin_client: Client, alice: User, django_assert_max_num_queries: Any, path: str, large: Any
) -> None:
    NotificationFactory(owner=alice)

    with django_assert_max_num_queries(8) as seen:
        response = admin_client.get(path)

    assert response.status_code == 200
    read = "".join(query["sql"] for query in seen.captured_queries)
    assert not [name for name in large if f'."{name}"' in read]


@pytest.mark.parametrize("model", [DownloadJob, Notification])
def test_the_checkbox_of_a_row_is_djangos(alice: User, model: Any) -> None:
    row = NotificationFactory(owner=alice, job=JobFactory(owner=alice, name='a<b> "c"'))
    row = row if model is Notification else row.job
    page = admin.site.get_model_admin(model)

    ours = page.action_checkbox(row)
    theirs = admin.ModelAdmin.action_checkbox(page, row)

    assert attributes(ours) == attributes(theirs)


def attributes(html: str) -> set[str]:
    return set(re.findall(r'[a-z-]+="[^"]*"', html))
