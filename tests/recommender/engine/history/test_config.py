import pytest

from recommender.engine.history.config import HistoryConfig


def test_a_configuration_survives_json():
    config = HistoryConfig(factors=64, l2=12.5, seed=7)
    assert HistoryConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("factors", 257),
        ("factors", True),
        ("epochs", 1.5),
        ("seed", -1),
        ("l2", 0),
        ("temperature", float("nan")),
        ("learning_rate", "fast"),
        ("unrated_weight", 1.1),
    ],
)
def test_a_wrong_value_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"{name} must be a .*number from"):
        HistoryConfig.from_dict({name: value})


def test_an_unknown_setting_is_named():
    with pytest.raises(ValueError, match="unknown setting 'layers'; the settings are factors, "):
        HistoryConfig.from_dict({"layers": 2})
