"""How large a request's body may be, said where the view is. `recsite.incoming` and the web server hold to it."""

from collections.abc import Callable
from typing import TypeVar

View = TypeVar("View", bound=Callable[..., object])


def takes_up_to(size: int) -> Callable[[View], View]:
    """Lets a view that is a function take bodies of `size` bytes. A class has an attribute `max_body` instead."""

    def mark(view: View) -> View:
        view.max_body = size  # type: ignore[attr-defined]
        return view

    return mark
