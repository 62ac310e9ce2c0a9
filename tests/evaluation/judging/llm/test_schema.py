"""Answers as models really give them."""

import json

import pytest

from evaluation.judging.llm.schema import SCORES, BadAnswer, json_schema, parse, parse_pair

IDS = [30, 10, 20]


def answer(*ids: int, overall: object = 7, **changed: object) -> dict:
    items = [{"anime_id": anime_id, "explanation": f"why {anime_id}", "score": 5, **changed} for anime_id in ids]
    return {"items": items, "summary": "likes ships", "overall": overall}


RIGHT = json.dumps(answer(10, 20, 30))


@pytest.mark.parametrize(
    "raw",
    [
        RIGHT,
        f"```json\n{RIGHT}\n```",
        f"Sure! Here it is:\n{RIGHT}\nAnything else {{you}} need?",
        f"<think>maybe {{}} or {json.dumps(answer(10))}</think>{RIGHT}",
        RIGHT.replace("why 10", "why\n\t10"),
        RIGHT.replace("likes ships", "likes\x00 \x1bships\x07"),
        RIGHT.replace('"score": 5', '"score": 5.0'),
        RIGHT.replace('"score": 5', '"score": "5"'),
    ],
    ids=["bare", "fence", "text around", "drafts", "line feed", "controls", "whole float", "text number"],
)
def test_reads(raw: str) -> None:
    verdict = parse(raw, IDS)
    assert [item.anime_id for item in verdict.items] == IDS
    assert {item.score for item in verdict.items} == {5}
    assert "\x00" not in verdict.summary
    assert verdict.overall == 7


@pytest.mark.parametrize(
    ("raw", "reason", "detail"),
    [
        ("", "empty", ""),
        (" \n", "empty", ""),
        ("I cannot do that.", "not json", "there is no object"),
        (json.dumps(answer(10, 20)), "missing id", "not scored: 30"),
        (json.dumps(answer(10, 20, 30, 20)), "doubled id", "more than once: 20"),
        (json.dumps(answer(10, 20, 30, 99)), "unknown id", "not in the list: 99"),
        (json.dumps(answer(10, 20, 30, score=45)), "out of range", "items.0.score is 45"),
        (json.dumps(answer(10, 20, 30, score=0)), "out of range", "items.0.score is 0"),
        (json.dumps(answer(10, 20, 30, score=7.5)), "out of range", "items.0.score is 7.5"),
        (RIGHT.replace('"score": 5', '"score": NaN'), "out of range", "items.0.score is nan"),
        (json.dumps(answer(10, 20, 30, overall=11)), "out of range", "overall is 11"),
        (json.dumps(answer(10, 20, 30, score="high")), "wrong shape", "items.0.score"),
        (json.dumps(answer(10, 20, 30, explanation=" ")), "wrong shape", "items.0.explanation"),
        (json.dumps({"items": "none"}), "wrong shape", "items"),
        (json.dumps({"scores": []}), "wrong shape", "no 'items'"),
        (RIGHT[:60], "truncated", "stops"),
        (RIGHT[:-1], "truncated", "stops"),
        (RIGHT.replace('"overall"', "overall"), "not json", "at character"),
        ('{"items":' * 50_000, "not json", "nested too deep"),
        ('{"items": 1' + "1" * 5000 + "}", "not json", "number too long"),
        ("{" * 399_000, "not json", "at character"),
    ],
)
def test_refuses_with_the_reason(raw: str, reason: str, detail: str) -> None:
    with pytest.raises(BadAnswer) as error:
        parse(raw, IDS)
    assert error.value.reason == reason
    assert detail in error.value.detail


def test_schema_names_every_id_and_score() -> None:
    schema = json_schema(IDS)
    item = schema["properties"]["items"]["items"]
    assert item["properties"]["anime_id"]["enum"] == IDS
    assert item["properties"]["score"]["enum"] == list(SCORES) == list(range(1, 11))
    assert schema["additionalProperties"] is item["additionalProperties"] is False
    assert set(schema["required"]) == set(schema["properties"])


def test_reads_a_pair() -> None:
    assert parse_pair('{"explanation": "closer", "preferred": "B"}').preferred == "B"
    with pytest.raises(BadAnswer, match="wrong shape: preferred"):
        parse_pair('{"explanation": "closer", "preferred": "C"}')
    with pytest.raises(BadAnswer, match="wrong shape: explanation"):
        parse_pair('{"preferred": "tie"}')
