"""The whole paper on a small generated data set, and the report of it."""

import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from evaluation.offline.dataset import AnimeFacts, Dataset
from evaluation.offline.glossary import ENTRIES
from evaluation.paper.charts import figures
from evaluation.paper.report_page import without_times, write_report
from evaluation.paper.reproduction import Settings, reproduce
from recommender.engine.ratings import RatingMatrix
from tests import factories

SMALL = Settings(
    epochs=3,
    cluster_grid=(2, 4, 8, 500),
    nprobes=(1, 2, 100),
    search_users=(5, 25),
    search_items=(100, 400),
    seen_users=(10, 20),
    ranked_seen_users=30,
)


def generated_dataset():
    """150 users of two tastes rate some of 120 anime; the anime with low ids are the popular ones."""
    rng = np.random.default_rng(0)
    users, items = [], []
    for user in range(150):
        weights = np.where(np.arange(120) % 2 == user % 2, 1.0, 0.15) / (10 + np.arange(120))
        chosen = rng.choice(120, rng.integers(4, 25), replace=False, p=weights / weights.sum())
        users += [user] * len(chosen)
        items += chosen.tolist()
    ratings = rng.integers(5, 11, len(users))
    ratings[rng.random(len(users)) < 0.1] = -1
    anime = AnimeFacts.from_rows(
        ids=np.arange(120) * 7 + 3,
        names=[f"Anime <{i}> & more" for i in range(120)],
        rating=np.where(np.arange(120) == 4, np.nan, rng.uniform(5, 9, 120)),
        members=10_000 // (1 + np.arange(120)),
        genres=[["even" if i % 2 else "odd"] for i in range(120)],
    )
    return Dataset("<generated>", RatingMatrix.from_arrays(np.array(users), np.array(items) * 7 + 3, ratings), anime)


@pytest.fixture(scope="module")
def steps():
    return []


@pytest.fixture(scope="module")
def findings(steps):
    return reproduce(generated_dataset(), SMALL, steps.append)


def test_every_part_of_the_paper_is_there(findings, steps):
    assert set(findings) == {
        "about", "training", "methods", "beyond_accuracy", "differences", "paper_table", "seen_users", "cold_start",
        "cluster_choice", "cluster_sizes", "plane", "probe_curve", "seen_user_errors", "search_cost",
    }  # fmt: skip
    assert [row["key"] for row in findings["methods"]] == [
        "popularity", "paper_weighted_score", "bayesian_average", "weighted_average", "weighted_average_dot",
        "kmeans", "kmeans_popularity", "gmm", "gmm_popularity",
    ]  # fmt: skip
    assert {"two_tower", "popularity"} <= {row["key"] for row in findings["seen_users"]}
    assert len(steps) == len(set(steps)) == 9
    assert findings["about"]["counts"]["users_kept"] <= 150


def test_the_findings_are_json_and_the_seed_repeats_them(findings):
    again = reproduce(generated_dataset(), SMALL)
    assert json.loads(json.dumps(findings, allow_nan=False)) == json.loads(json.dumps(findings))
    assert json.dumps(without_times(findings)) == json.dumps(without_times(again))
    assert "seconds" not in json.dumps(without_times(findings))


def test_the_cold_start_is_near_popularity_where_people_follow_it(findings):
    ndcg = {row["key"]: row["metrics"]["ndcg@10"][0] for row in findings["methods"]}
    assert ndcg["bayesian_average"] > 0.9 * ndcg["popularity"]
    assert ndcg["bayesian_average"] > ndcg["weighted_average"]


def test_intervals_hold_their_means(findings):
    for row in [*findings["methods"], *findings["seen_users"]]:
        for mean, low, high in row["metrics"].values():
            assert 0 <= low <= mean <= high <= 1


def test_the_papers_metrics_flatter_and_its_ids_make_hits_accidents(findings):
    for row in findings["paper_table"]:
        precision, average_precision, ndcg = row["correct"]
        flattered = row["published_metrics"]
        assert flattered[0] == precision
        assert flattered[1] > average_precision
        assert flattered[2] > ndcg
        assert row["published_procedure"][0] < precision
    assert {row["key"]: row["published"] for row in findings["paper_table"]} == {
        "kmeans": [0.0254, 0.0560, 0.0911],
        "weighted_average": [0.0148, 0.0803, 0.0920],
    }


def test_the_probe_curve_meets_the_exact_method(findings):
    exact = {row["key"]: row["metrics"]["ndcg@10"][0] for row in findings["methods"]}
    assert findings["probe_curve"]["euclidean"][-1]["ndcg"] == pytest.approx(exact["weighted_average"])
    assert findings["probe_curve"]["dot"][-1]["ndcg"] == pytest.approx(exact["weighted_average_dot"])


def test_cluster_numbers_too_large_for_the_catalogue_are_left_out(findings):
    assert findings["cluster_choice"]["k"] == [2, 4, 8]


def test_every_figure_is_drawn(findings):
    drawn = figures(findings)
    assert len(drawn) == 14
    for svg in drawn.values():
        assert ET.fromstring(svg).tag.endswith("svg")


class _Page(HTMLParser):
    """Collects what the report must keep: balanced tags, ids that links find, and terms for columns."""

    VOID = {"meta"}

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.targets, self.text = [], [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        assert "style" not in values
        assert not any(name.startswith("on") for name in values)
        if tag not in self.VOID:
            self.open.append(tag)
        if "id" in values:
            self.ids.append(values["id"])
        if values.get("href", "").startswith("#"):
            self.targets.append(values["href"][1:])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_the_report_shows_the_numbers_and_their_definitions(findings, tmp_path):
    page = write_report(findings, tmp_path / "deep" / "report")
    html = page.read_text()
    read = _Page(html)
    assert read.open == []
    assert sorted(read.targets) == sorted(read.ids)
    assert "script" not in html
    assert "<link" not in html
    numbers = json.loads((page.parent / "numbers.json").read_text())
    assert numbers == without_times(json.loads((page.parent / "findings.json").read_text()))

    for row in findings["methods"]:
        assert row["title"] in read.text
        assert row["definition"] in read.text
        assert f"{row['metrics']['ndcg@10'][0]:.3f}" in read.text
    assert findings["about"]["fingerprint"] in read.text
    # Names of the data are text, not markup.
    assert "<generated>" in read.text
    assert re.fullmatch(r"Anime <\d+> & more", findings["cold_start"]["bayesian_average"][0]["name"])
    assert findings["cold_start"]["bayesian_average"][0]["name"] in read.text
    assert not re.search(r"\bnan\b|\bNone\b|VariableDoesNotExist", read.text)


def test_every_column_and_figure_of_the_report_has_its_definition(findings, tmp_path):
    html = write_report(findings, tmp_path).read_text()
    sections = re.findall(r"<section.*?</section>", html, re.DOTALL)
    assert len(sections) == 13
    for section in sections:
        terms = {term.strip() for terms in re.findall(r"<dt>(.*?)</dt>", section) for term in terms.split(",")}
        heads = set(re.findall(r'<th scope="col">(.*?)</th>', section))
        assert heads - terms <= {"No.", "Method", "Name", "Value", "Number", "Rank", "Definition"}
        assert section.count("<svg") == section.count("<figcaption>")


def test_the_glossary_has_every_metric_that_is_measured(findings):
    measured = {name for row in findings["methods"] for name in row["metrics"]}
    measured |= {name for row in findings["beyond_accuracy"] for name in row} - {"key", "title", "definition"}
    assert measured <= set(ENTRIES)
    names = [entry.name for entry in ENTRIES.values()]
    assert len(set(names)) == len(names)
    assert all(entry.definition.endswith(".") for entry in ENTRIES.values())


def test_the_command_writes_the_report_from_files(tmp_path, capsys, monkeypatch):
    import evaluation.paper.reproduction

    monkeypatch.setattr(evaluation.paper.reproduction, "QUICK", SMALL)
    data = tmp_path / "data"
    data.mkdir()
    dataset = generated_dataset()
    anime, ratings = dataset.anime, dataset.ratings
    rows = [
        f'{i},"{name}",Action,TV,1,{"" if np.isnan(score) else score},{members:.0f}'
        for i, name, score, members in zip(anime.ids, anime.names, anime.rating, anime.members, strict=True)
    ]
    (data / "anime.csv").write_text("\n".join(["anime_id,name,genre,type,episodes,rating,members", *rows]))
    rows = [
        f"{ratings.user_ids[u]},{ratings.item_ids[i]},{r}"
        for u, i, r in zip(ratings.users, ratings.items, ratings.ratings, strict=True)
    ]
    (data / "rating.csv").write_text("\n".join(["user_id,anime_id,rating", *rows]))

    call_command("reproduce_paper", data=data, report=tmp_path / "report", quick=True, seed=4)

    numbers = json.loads((tmp_path / "report" / "numbers.json").read_text())
    assert numbers["about"]["settings"]["seed"] == 4
    assert numbers["about"]["data"] == "data"
    assert str(tmp_path / "report" / "index.html") in capsys.readouterr().out


def test_the_command_names_what_is_wrong(tmp_path):
    with pytest.raises(CommandError, match=r"anime\.csv does not exist"):
        call_command("reproduce_paper", data=tmp_path / "nowhere", report=tmp_path / "report")
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match="file"):
        call_command("reproduce_paper", data=tmp_path, report=tmp_path / "file" / "report")


@pytest.mark.django_db(transaction=True)
def test_a_database_without_ratings_is_too_little(tmp_path):
    with pytest.raises(CommandError, match="too few ratings"):
        call_command("reproduce_paper", report=tmp_path / "report", quick=True)


@pytest.mark.django_db(transaction=True)
def test_the_database_gives_the_facts_that_the_files_give():
    from evaluation.offline.database import read_database

    naruto = factories.anime("Naruto", score=7.8, members=900)
    unknown = factories.anime("Unknown", genres=(), score=None, members=5)
    user = factories.user()
    factories.rating(user, naruto, score=9)
    dataset = read_database()
    facts = dataset.anime.of(np.array([naruto.pk, unknown.pk]))
    assert facts.names == ("Naruto", "Unknown")
    np.testing.assert_array_equal(facts.rating, [7.8, np.nan])
    assert facts.members.tolist() == [900, 5]
    assert facts.genres.sum(axis=1).tolist() == [1, 0]
    assert dataset.ratings.user_ids.tolist() == [user.pk]
    assert dataset.ratings.ratings.tolist() == [9]
