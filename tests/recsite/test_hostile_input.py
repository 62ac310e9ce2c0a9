"""Whatever characters somebody sends, in whatever place, the answer is none of a broken site."""

import json
import re
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from django.contrib import admin
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from recsite.local import embedded
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("artifacts_dir")]

#: Signs of formats and escapes; NUL; half of a surrogate pair; marks that turn the direction of writing; and numbers
#: that no column holds.
HOSTILE = ["%", "%s %(x)s {", "{0} {x}", "\\\0", "\ud800 \u202e\u200f", "9" * 30, "²"]
#: For what takes long to ask.
WORST = ["% {0}", "\0", "\ud800", "9" * 30]
CONTRACT = yaml.safe_load((embedded.BASE_DIR / "docs" / "openapi.yaml").read_text())
PAGES = {
    "/": "starters genre like method",
    "/anime/": "q genre type decade score sort page",
    "/recommendations/": "genre without type since score fame novelty like unlike page method first starters",
    "/recommendations/rows/": "row genre",
    "/me/ratings/": "show sort q genre type page",
    "/me/data/import/": "keep",
    "/anime/1/cover.svg": "v",
    "/accounts/login/": "next",
    "/accounts/password/reset/key/%s/": "x",
}


def in_address(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")


@pytest.fixture
def boss(client: Client) -> Client:
    """Staff with a row or two of most things."""
    user = factories.staff(username="boss")
    anime = factories.anime(mal_id=1)
    factories.rating(user, anime)
    factories.list_entry(user, anime)
    client.force_login(user)
    client.raise_request_exception = False
    return client


def broken(client: Client, method: str, *arguments: Any, **options: Any) -> bool:
    return getattr(client, method)(*arguments, **options).status_code >= 500


def test_no_parameter_of_the_api_breaks_it(boss: Client) -> None:
    faults = []
    for path, operations in CONTRACT["paths"].items():
        names = [one["name"] for one in operations.get("get", {}).get("parameters", ()) if one["in"] == "query"]
        address = re.sub(r"\{\w+\}", "1", path)
        faults += [
            (address, name, text)
            for name in names
            for text in HOSTILE
            if broken(boss, "get", f"{address}?{name}={in_address(text)}")
        ]
    assert faults == []


def test_no_part_of_an_address_breaks_the_api_or_a_page(boss: Client) -> None:
    addresses = [re.sub(r"\{\w+\}", "%s", path) for path in CONTRACT["paths"]]
    addresses += ["/api/%s", "/api/v1/%s/", "/%s/", "/anime/%s/", "/me/data/export.%s", "/accounts/confirm-email/%s/"]
    faults = [
        address
        for address in addresses
        for text in HOSTILE
        if broken(boss, "get", address.replace("%s", in_address(text)))
    ]
    assert faults == []


def test_no_parameter_of_a_page_breaks_it(boss: Client) -> None:
    faults = [
        (page, name, text)
        for page, names in PAGES.items()
        for name in names.split()
        for text in WORST
        if broken(boss, "get", f"{page.replace('%s', in_address(text))}?{name}={in_address(text)}")
    ]
    assert faults == []


@pytest.mark.parametrize("model", admin.site._registry, ids=lambda model: model._meta.label_lower)
def test_no_filter_search_or_key_breaks_the_admin(boss: Client, model: Any) -> None:
    options = admin.site._registry[model]
    page = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    names = ["q", "p", "o", "%", f"{model._meta.pk.name}__exact"]
    names += [f"{name}__exact" for name in options.list_filter if isinstance(name, str)]
    if options.date_hierarchy:
        names.append(f"{options.date_hierarchy}__year")
    addresses = [f"{page}?{name}=" for name in names] + [f"{page}autocomplete/?term="]
    faults = [address for address in addresses for text in WORST if broken(boss, "get", address + in_address(text))]
    faults += [text for text in WORST if broken(boss, "get", f"{page}{in_address(text)}/change/")]
    assert faults == []


BODIES = {
    "/api/v1/recommendations/": {"ratings": [], "method": "X"},
    "/api/v1/recommendations/#genres": {"ratings": [], "genres": ["X"], "types": ["X"]},
    "/api/v1/recommendations/#ratings": {"ratings": [{"anime_id": "X", "score": "X"}], "X": "X"},
    "/api/v1/predictions/": {"ratings": "X", "anime_ids": ["X"]},
    "/api/v1/events/": {"events": [{"list_id": "X", "anime_id": "X", "kind": "X"}]},
    "/api/v1/me/ratings/": {"anime_id": "X", "score": "X"},
    "/api/v1/me/list/": {"anime_id": 1, "status": "X"},
    "/api/v1/me/list/bulk/": {"entries": [{"anime_id": 1, "status": "X"}]},
    "/api/v1/staff/runs/": {"family": "paper", "config": {"X": "X"}},
    "/api/v1/staff/runs/#filter": {"family": "paper", "data_filter": {"source": "X"}},
    "/api/v1/staff/runs/#filters": {"family": "paper", "data_filter": {"X": ["X"]}},
    "/api/v1/staff/imports/": {"source": "X", "name": "x"},
    "/api/v1/staff/imports/#name": {"source": "demo", "name": "X"},
    "/api/v1/staff/evaluations/": {"run_id": "X"},
    "/api/v1/staff/experiments/": {"name": "X", "instructions": "X", "model": "X", "methods": ["X"], "runs": ["X"]},
    "/api/v1/staff/reviews/": {"experiment_id": "X"},
}


def test_no_text_in_json_breaks_the_api(boss: Client) -> None:
    faults = []
    for address, body in BODIES.items():
        for text in HOSTILE:
            sent = json.dumps(body).replace('"X"', json.dumps(text))
            if broken(boss, "post", address.partition("#")[0], sent, content_type="application/json"):
                faults.append((address, text))
    assert faults == []


FORMS = {
    "/anime/1/rate/": "score next",
    "/anime/1/status/": "status next",
    "/me/tokens/": "name scope days",
    "/me/tokens/abc/revoke/": "x",
    "/me/delete/": "password",
    "/me/data/import/apply/": "token keep",
    "/i18n/setlang/": "language next",
    "/accounts/login/": "login password next",
    "/accounts/password/reset/": "email",
    "/admin/catalog/genre/add/": "name slug",
    "/admin/catalog/anime/": "action",
}


def test_no_field_of_a_form_breaks_its_page(boss: Client, settings: Any) -> None:
    settings.ACCOUNT_RATE_LIMITS = False
    faults = []
    for address, names in FORMS.items():
        for name in names.split():
            others = {"action": "delete_selected", "_selected_action": "1"} if "admin" in address else {}
            for text in WORST:
                sent = "&".join(f"{key}={in_address(value)}" for key, value in {**others, name: text}.items())
                if broken(boss, "post", address, sent, content_type="application/x-www-form-urlencoded"):
                    faults.append((address, name, text))
    assert faults == []


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_in_an_uploaded_list_breaks_its_preview(boss: Client, text: str) -> None:
    factories.anime(mal_id=5)
    rows = [
        {"anime_id": 5, "title": text, "score": 8},
        {"anime_id": 4444, "title": text, "score": 8},
        {"anime_id": text, "title": text, "score": text, "status": text},
        {"anime_id": 5, "title": text, "score": 9},
    ]
    file = SimpleUploadedFile("list.json", json.dumps({"anime": rows}).encode())
    taken = boss.post("/me/data/import/", {"file": file})
    assert taken.status_code in (302, 400)
    assert boss.get("/me/data/import/").status_code in (200, 302)
    assert boss.get("/me/data/").status_code == 200


@pytest.mark.parametrize("name", ["sessionid", "csrftoken", "django_language", "messages"])
def test_no_cookie_breaks_a_page(boss: Client, name: str) -> None:
    for value in ('"aaaaaaaaaa\\000bbb"', '"%s{0}\\377"', "%00"):
        boss.cookies.clear()
        assert not broken(boss, "get", "/me/ratings/", headers={"Cookie": f"{name}={value}"})
        assert not broken(boss, "get", "/api/v1/me/", headers={"Cookie": f"{name}={value}"})


def test_no_header_breaks_a_page(boss: Client) -> None:
    for name in (
        "HX-Current-URL",
        "Accept-Language",
        "If-None-Match",
        "Referer",
        "Origin",
        "Idempotency-Key",
        "Accept",
    ):
        for text in ("%{0}", "http://[", "%ED%A0%80", "http://a:b/"):
            headers = {"HX-Request": "true", name: text}
            assert not broken(boss, "get", "/me/settings/", headers=headers), headers
            assert not broken(boss, "get", "/api/v1/anime/", headers=headers), headers
            assert not broken(boss, "post", "/anime/1/rate/", {"score": 8}, headers=headers), headers
