from benchmarks import report


def test_the_page_of_benchmarks_is_what_the_results_say() -> None:
    assert report.PAGE.read_text(encoding="utf-8") == report.page(), "run python -m benchmarks.report"
    for name, text in report.pictures().items():
        assert (report.IMAGES / name).read_text(encoding="utf-8") == text, "run python -m benchmarks.report"


def test_a_ratio_is_shown_with_its_spread() -> None:
    figure = {"name": "ours / theirs", "ratio": 3.14159, "spread": [3.0, 1234.0], "unit": "times"}
    result = {
        "name": "speed", "command": "python -m x", "date": "2026-01-01", "cores": 2, "python": "3.11",
        "versions": {"numpy": "2"}, "data": "made up", "figures": [figure],
    }  # fmt: skip
    assert "| ours / theirs | 3.142 (3 to 1,234) | times |" in report.section(result)
