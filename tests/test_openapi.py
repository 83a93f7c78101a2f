"""The OpenAPI document and its page."""

from __future__ import annotations

import pytest
import yaml
from django.test import Client
from django.urls import URLPattern

from tests.test_pages import INLINE


@pytest.fixture
def document(client: Client) -> dict[str, dict[str, object]]:
    return yaml.safe_load(client.get("/openapi").content)


def test_every_endpoint_of_the_api_is_in_the_document(
    document: dict[str, dict[str, object]],
) -> None:
    from jobs.urls import urlpatterns

    described = {
        path.replace("{job_id}", "<uuid:job_id>").lstrip("/") for path in document["paths"]
    }
    served = {
        str(url.pattern) for url in urlpatterns if isinstance(url, URLPattern)
        and str(url.pattern).startswith("v1/")
    }  # fmt: skip

    assert served <= described


def test_it_is_openapi_3_1(document: dict[str, object]) -> None:
    assert document["openapi"] == "3.1.0"


def test_the_page_serves_its_own_assets(client: Client) -> None:
    page = client.get("/docs").content.decode()

    assert "/static/drf_spectacular_sidecar/" in page
    assert "https://cdn" not in page
    assert not INLINE.search(page)
    assert '"validatorUrl": null' in client.get("/docs?script=").content.decode()


def test_no_address_ends_with_a_slash_outside_the_admin() -> None:
    from jobs.urls import urlpatterns

    assert not [url for url in urlpatterns if str(url.pattern).endswith("/")]
