"""Fields of the API that any application may use."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError as ModelValidationError
from rest_framework import serializers
from rest_framework.fields import get_error_detail

#: How many faults of one request are reported.
MAX_FAULTS = 100


class BoundedListField(serializers.ListField):
    """A list whose length is checked before its elements are, and that stops at the hundredth wrong element."""

    def __init__(self, **kwargs: Any) -> None:
        assert "max_length" in kwargs, "a list that anybody can send has a greatest length"
        super().__init__(**kwargs)

    def run_child_validation(self, data: list[Any]) -> list[Any]:
        if self.max_length is not None and len(data) > self.max_length:
            message = self.error_messages["max_length"]
            raise serializers.ValidationError(str(message).format(max_length=self.max_length), code="max_length")
        found: list[Any] = []
        faults: dict[int, Any] = {}
        for place, value in enumerate(data):
            try:
                found.append(self.child.run_validation(value))
            except serializers.ValidationError as error:
                faults[place] = error.detail
            except ModelValidationError as error:
                faults[place] = get_error_detail(error)
            if len(faults) == MAX_FAULTS:
                break
        if faults:
            raise serializers.ValidationError(faults)  # type: ignore[arg-type]  # DRF's own lists raise the same
        return found


class BoundedKeysField(serializers.ManyRelatedField):
    """Rows of a queryset by their primary keys, each of which is one query: not more than `max_length`."""

    default_error_messages = {"max_length": serializers.ListField.default_error_messages["max_length"]}

    def __init__(self, *, queryset: Any, max_length: int, **kwargs: Any) -> None:
        super().__init__(child_relation=serializers.PrimaryKeyRelatedField(queryset=queryset), **kwargs)
        self.max_length = max_length

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str | Mapping) and hasattr(data, "__len__") and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return super().to_internal_value(data)
