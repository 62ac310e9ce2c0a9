"""Brings the dashboard into the admin's own start page, whose view is Django's."""

from typing import Any

from django import template

from recsite.observability.dashboard import context as dashboard_context

register = template.Library()


@register.inclusion_tag("admin/_dashboard.html", takes_context=True)
def dashboard(context: dict[str, Any]) -> dict[str, Any]:
    return dashboard_context(context["request"])
