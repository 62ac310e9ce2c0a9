"""Allauth's views, where this site answers otherwise than they do."""

from typing import Any

from allauth.account import views
from allauth.account.adapter import get_adapter
from django.contrib import messages
from django.http import HttpResponse

from catalog.accounts.adapter import CONFIRMATION_SENT
from catalog.accounts.forms import NameTaken


class SignupView(views.SignupView):  # type: ignore[misc]  # allauth is not typed
    def form_valid(self, form: Any) -> HttpResponse:
        try:
            response: HttpResponse = super().form_valid(form)
            said = {"email": form.cleaned_data["email"]}
            get_adapter().add_message(self.request, messages.INFO, CONFIRMATION_SENT, said)
        except NameTaken:
            form.add_error("username", get_adapter().error_messages["username_taken"])
            response = self.form_invalid(form)
        return response


signup = SignupView.as_view()
