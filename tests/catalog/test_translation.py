"""Every text that is in the catalogue of translations is translated, and what is served is what was written."""

import gettext
import re
from datetime import date
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from tests import factories

JAPANESE = Path(settings.LOCALE_PATHS[0]) / "ja" / "LC_MESSAGES"
PLACEHOLDER = re.compile(r"%\(\w+\)s|%s|<[^>]+>")


def compiled() -> dict[str, str]:
    """Source text to translation, plural forms by their singular."""
    with (JAPANESE / "django.mo").open("rb") as file:
        catalogue = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    return {key[0] if isinstance(key, tuple) else key: text for key, text in catalogue.items() if key}


def test_every_text_is_translated_with_its_placeholders() -> None:
    written = re.findall(r'^msgid "(.+)"$', (JAPANESE / "django.po").read_text(), re.MULTILINE)
    translated = compiled()
    assert {text.replace('\\"', '"') for text in written} == set(translated)
    for source, text in translated.items():
        assert text
        # One plural form stands for both, so a singular without its number may gain one.
        assert set(PLACEHOLDER.findall(source)) <= set(PLACEHOLDER.findall(text))


@pytest.mark.django_db
def test_the_site_speaks_japanese_to_who_does(client: Client) -> None:
    page = client.get("/", headers={"Accept-Language": "ja"}).text
    assert '<html lang="ja">' in page
    assert "次に好きになるアニメを見つけよう" in page
    response = client.post("/i18n/setlang/", {"language": "ja", "next": "/anime/"})
    assert response["Location"] == "/anime/"
    assert "作品を探す" in client.get("/anime/").text


@pytest.mark.django_db
def test_genres_sources_and_dates_are_in_the_readers_language(client: Client) -> None:
    anime = factories.anime(genres=("Sci-Fi", "Puppets"), source="Light novel", aired_from=date(1998, 4, 1))
    page = client.get(f"/anime/{anime.pk}/", headers={"Accept-Language": "ja"}).text
    assert ">SF</a>" in page
    assert ">Puppets</a>" in page
    assert "ライトノベル" in page
    assert "1998年4月" in page
    assert ">English</button>" in page


def test_no_text_of_a_template_is_missing() -> None:
    """What `makemessages` would find in templates is in the catalogue."""
    known = set(compiled())
    root = Path(settings.BASE_DIR)
    for path in root.glob("*/templates/**/*.html"):
        for text in re.findall(r'{%\s*translate "([^"]+)"', path.read_text()):
            assert text in known, f"{path.relative_to(root)}: {text!r} is not translated: see the head of django.po"
