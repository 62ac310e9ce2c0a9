"""Lists that anybody may send."""

from typing import Any

import pytest
from rest_framework import serializers

from common.api.fields import MAX_FAULTS, BoundedListField


class Counting(serializers.IntegerField):
    """Counts how many values were looked at."""

    seen = 0

    def to_internal_value(self, data: Any) -> int:
        Counting.seen += 1
        return super().to_internal_value(data)


@pytest.fixture(autouse=True)
def _count_from_zero() -> None:
    Counting.seen = 0


def faults(data: Any, max_length: int) -> Any:
    with pytest.raises(serializers.ValidationError) as found:
        BoundedListField(child=Counting(), max_length=max_length).run_validation(data)
    return found.value.detail


def test_the_length_is_checked_before_any_element() -> None:
    assert faults(["x"] * 1000, max_length=999) == ["Ensure this field has no more than 999 elements."]
    assert Counting.seen == 0


def test_looking_ends_at_the_hundredth_fault() -> None:
    assert list(faults([1, *["x"] * 500], max_length=1000)) == list(range(1, MAX_FAULTS + 1))
    assert Counting.seen == MAX_FAULTS + 1


def test_a_good_list_is_read_to_its_end() -> None:
    assert BoundedListField(child=Counting(), max_length=300).run_validation(["7"] * 300) == [7] * 300
