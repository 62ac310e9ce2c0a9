"""Who has an account keeps it: a new password shuts others out, and changes of the account ask for the password."""

import threading
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from allauth.account.internal.flows import reauthentication
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from catalog.accounts.tokens import make_token
from catalog.models import ApiToken, User
from tests import factories

pytestmark = pytest.mark.django_db
OLD, NEW = "Tr0ub4dor&3x", "corr3ct-horse-battery"
ME = "/api/v1/me/"
REAUTHENTICATE = "/accounts/reauthenticate/"


@pytest.fixture
def person() -> User:
    user = factories.user("mika", password=OLD)
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    return user


def signed_in(user: User, password: str = OLD) -> Client:
    client = Client()
    answer = client.post("/accounts/login/", {"login": user.username, "password": password})
    assert answer.status_code == 302
    return client


def confirm(client: Client, asked: Any, password: str = OLD) -> Any:
    """Give the password where `asked` sent the browser to ask for it."""
    assert asked["Location"].startswith(REAUTHENTICATE), asked["Location"]
    return client.post(asked["Location"], {"password": password})


def token_works(text: str) -> bool:
    return bool(Client().get(ME, headers={"Authorization": f"Bearer {text}"}).status_code == 200)


# A new password


def change(user: User) -> None:
    fields = {"oldpassword": OLD, "password1": NEW, "password2": NEW}
    assert signed_in(user).post("/accounts/password/change/", fields).status_code == 302


def reset(user: User) -> None:
    client = Client()
    client.post("/accounts/password/reset/", {"email": user.email})
    link = next(word for word in str(mail.outbox[-1].body).split() if "/accounts/password/reset/key/" in word)
    form = client.get(link.removeprefix("http://testserver"), follow=True)
    client.post(form.redirect_chain[-1][0], {"password1": NEW, "password2": NEW})


def change_in_admin(user: User, fields: dict[str, str] | None = None) -> None:
    boss = factories.staff()
    boss.set_password(OLD)
    boss.save()
    client, address = signed_in(boss), f"/admin/catalog/user/{user.pk}/password/"
    confirm(client, client.get(address))
    client.post(address, fields or {"password1": NEW, "password2": NEW, "usable_password": "true"})


def take_away_in_admin(user: User) -> None:
    change_in_admin(user, {"usable_password": "false", "unset-password": "1"})


def change_own_in_admin(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_staff=True)
    fields = {"old_password": OLD, "new_password1": NEW, "new_password2": NEW}
    assert signed_in(user).post("/admin/password_change/", fields).status_code == 302


@pytest.mark.parametrize("way", [change, reset, change_in_admin, take_away_in_admin, change_own_in_admin])
def test_a_new_password_revokes_tokens_and_ends_sessions(person: User, way: Callable[[User], None]) -> None:
    _, text = make_token(user=person, name="x", scope="write", days=7)
    other, (_, others_text) = factories.user(), make_token(user=factories.user(), name="x", scope="read", days=7)
    session = signed_in(person)
    EmailAddress.objects.create(user=person, email="thief@example.com")  # a change of address that waits
    assert token_works(text)
    way(person)
    person.refresh_from_db()
    assert not person.check_password(OLD)
    assert not token_works(text)
    assert token_works(others_text)
    assert session.get("/me/settings/").status_code == 302
    assert list(EmailAddress.objects.filter(user=person).values_list("email", flat=True)) == [person.email]
    assert other.pk


def test_a_log_in_that_renews_the_hash_revokes_nothing(person: User) -> None:
    person.password = PBKDF2PasswordHasher().encode(OLD, "salt" * 6)
    person.save()
    _, text = make_token(user=person, name="x", scope="write", days=7)
    signed_in(person)
    person.refresh_from_db()
    assert person.password.startswith("argon2")
    assert token_works(text)


def test_who_signed_up_with_an_address_of_another_loses_the_account_to_its_owner(settings: Settings) -> None:
    """The owner resets the password by mail; the other one's token and begun change of the address are worthless."""
    fields = {"username": "thief", "email": "owner@example.com", "password1": OLD}
    thief = Client()
    thief.post("/accounts/signup/", fields)
    user = User.objects.get(username="thief")
    EmailAddress.objects.filter(user=user).update(verified=True)  # what it was once, so that a change has to wait
    asked = thief.post("/accounts/email/", {"action_add": "", "email": "thief@example.com"})
    confirm(thief, asked)
    waiting = EmailAddress.objects.get(email="thief@example.com")
    key = EmailConfirmationHMAC(waiting).key
    reset(user)
    Client().post(reverse("account_confirm_email", args=[key]))
    user.refresh_from_db()
    assert user.email == "owner@example.com"
    assert not EmailAddress.objects.filter(email="thief@example.com").exists()


# The password again


@pytest.mark.parametrize(
    ("address", "fields"),
    [
        ("/accounts/email/", {"action_add": "", "email": "new@example.com"}),
        ("/me/tokens/", {"name": "x", "scope": "read", "days": 7}),
        ("/me/delete/", {}),
    ],
)
def test_a_stolen_session_changes_nothing_without_the_password(
    person: User, address: str, fields: dict[str, Any]
) -> None:
    thief = signed_in(person)
    asked = thief.post(address, fields)
    wrong = thief.post(asked["Location"], {"password": "guess"})
    assert wrong.status_code == 200
    assert User.objects.filter(pk=person.pk).exists()
    assert not ApiToken.objects.exists()
    assert EmailAddress.objects.get().email == person.email


def test_the_password_change_asks_for_the_old_one(person: User) -> None:
    fields = {"oldpassword": "guess", "password1": NEW, "password2": NEW}
    signed_in(person).post("/accounts/password/change/", fields)
    person.refresh_from_db()
    assert person.check_password(OLD)


def test_what_was_asked_for_is_done_once_the_password_was_given(person: User) -> None:
    client = signed_in(person)
    made = confirm(client, client.post("/me/tokens/", {"name": "mine", "scope": "read", "days": 7}))
    assert '<code class="token">' in made.text
    # For five minutes it is not asked for again.
    assert client.post("/me/tokens/", {"name": "two", "scope": "read", "days": 7}).status_code == 200
    assert ApiToken.objects.count() == 2


def test_the_password_is_asked_for_again_after_a_while(person: User, monkeypatch: pytest.MonkeyPatch) -> None:
    client = signed_in(person)
    confirm(client, client.get("/me/delete/"))
    assert client.get("/me/delete/").status_code == 200
    now = reauthentication.time.time()
    monkeypatch.setattr(reauthentication.time, "time", lambda: now + 301)
    assert client.get("/me/delete/").status_code == 302


def test_staff_give_their_password_before_they_change_accounts_and_rights(person: User) -> None:
    boss = factories.staff()
    boss.set_password(OLD)
    boss.save()
    client = signed_in(boss)
    group = "/admin/auth/group/add/"
    page = f"/admin/catalog/user/{person.pk}/change/"
    assert client.get(page).status_code == 200
    delete = {"action": "delete_selected", "_selected_action": [person.pk], "post": "yes"}
    for address, fields in (
        (page, {}),
        (page.replace("change", "delete"), {"post": "yes"}),
        ("/admin/catalog/user/", delete),
    ):
        assert client.post(address, fields)["Location"].startswith(REAUTHENTICATE)
    for address in (page.replace("change", "password"), "/admin/catalog/user/add/"):
        assert client.get(address)["Location"].startswith(REAUTHENTICATE)
    assert User.objects.filter(pk=person.pk).exists()
    asked = client.post(group, {"name": "New"})
    assert confirm(client, asked)["Location"] == "/admin/auth/group/"


def test_no_token_changes_the_account_it_acts_for(person: User) -> None:
    _, text = make_token(user=person, name="x", scope="write", days=7)
    headers = {"Authorization": f"Bearer {text}"}
    fields = {"email": "thief@example.com", "username": "thief", "password": NEW, "is_staff": True}
    Client().patch(ME, fields, "application/json", headers=headers)
    for address in ("/me/tokens/", "/me/delete/", "/accounts/email/", "/accounts/password/change/"):
        assert Client().post(address, {}, headers=headers)["Location"].startswith("/accounts/login/")
    person.refresh_from_db()
    assert (person.username, person.email, person.is_staff) == ("mika", "mika@example.com", False)
    assert person.check_password(OLD)


# Addresses


def test_the_old_address_hears_of_a_new_password_and_a_new_address(person: User) -> None:
    change(person)
    assert [message.to for message in mail.outbox] == [["mika@example.com"]]
    assert "password has been changed" in mail.outbox[0].body
    mail.outbox.clear()
    client = signed_in(person, NEW)
    confirm(client, client.post("/accounts/email/", {"action_add": "", "email": "new@example.com"}), NEW)
    [sent] = mail.outbox
    assert sent.to == ["new@example.com"]
    person.refresh_from_db()
    assert person.email == "mika@example.com"  # until the new one is verified
    link = next(word for word in str(sent.body).split() if "confirm-email" in word)
    client.post(link.removeprefix("http://testserver"))
    assert mail.outbox[-1].to == ["mika@example.com"]
    assert "changed from mika@example.com to new@example.com" in mail.outbox[-1].body
    person.refresh_from_db()
    assert person.email == "new@example.com"
    assert EmailAddress.objects.get().email == "new@example.com"


def test_an_address_that_was_never_verified_hears_of_its_change_too(person: User) -> None:
    EmailAddress.objects.update(verified=False)
    client = signed_in(person)
    confirm(client, client.post("/accounts/email/", {"action_add": "", "email": "new@example.com"}))
    assert sorted(message.to[0] for message in mail.outbox) == ["mika@example.com", "new@example.com"]
    person.refresh_from_db()
    assert person.email == "new@example.com"


def test_a_mail_server_that_is_away_does_not_spoil_a_new_password(person: User, settings: Settings) -> None:
    settings.EMAIL_BACKEND, settings.EMAIL_PORT = "django.core.mail.backends.smtp.EmailBackend", 9
    change(person)
    person.refresh_from_db()
    assert person.check_password(NEW)


@pytest.mark.parametrize("verified", [False, True])
def test_sign_up_and_reset_do_not_tell_which_addresses_have_accounts(person: User, verified: bool) -> None:
    EmailAddress.objects.update(verified=verified)
    answers = []
    for name, email in (("new1", "nobody@example.com"), ("new2", person.email), ("new3", person.email.upper())):
        mail.outbox.clear()
        client = Client()
        answer = client.post("/accounts/signup/", {"username": name, "email": email, "password1": OLD}, follow=True)
        said = [str(one) for one in answer.context["messages"]]
        answers.append((answer.redirect_chain, [text.replace(email.lower(), "X") for text in said]))
        assert answer.wsgi_request.user.username == name
        listed = client.get("/accounts/email/").text
        assert email.lower() in listed
    assert answers[0] == answers[1] == answers[2]
    resets = [Client().post("/accounts/password/reset/", {"email": address}, follow=True) for address in
              ("nobody-at-all@example.com", person.email)]  # fmt: skip
    assert [answer.redirect_chain for answer in resets] == [[("/accounts/password/reset/done/", 302)]] * 2


def test_a_verified_address_is_its_owners_alone(person: User) -> None:
    """Somebody else may name it at sign-up, and gets nothing by it: neither a verification nor a reset."""
    Client().post("/accounts/signup/", {"username": "other", "email": person.email, "password1": NEW})
    second = EmailAddress.objects.get(user__username="other")
    Client().post(reverse("account_confirm_email", args=[EmailConfirmationHMAC(second).key]))
    second.refresh_from_db()
    assert not second.verified
    mail.outbox.clear()
    Client().post("/accounts/password/reset/", {"email": person.email})
    [sent] = mail.outbox
    assert "mika" in sent.body


def test_where_mail_is_sent_a_token_needs_a_verified_address(person: User, settings: Settings) -> None:
    settings.SENDS_MAIL = True
    EmailAddress.objects.update(verified=False)
    client = signed_in(person)
    assert "Verify your e-mail address first" in client.get("/me/tokens/").text
    page = confirm(client, client.post("/me/tokens/", {"name": "x", "scope": "read", "days": 7}))
    assert "Verify your e-mail address first" in page.text
    assert not ApiToken.objects.exists()
    EmailAddress.objects.update(verified=True)
    assert "Verify" not in client.get("/me/tokens/").text
    client.post("/me/tokens/", {"name": "x", "scope": "read", "days": 7})
    assert ApiToken.objects.exists()


# Races


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """What the acts return when threads do them at the same moment."""
    barrier, answers = threading.Barrier(len(acts)), [None] * len(acts)

    def run(place: int) -> None:
        try:
            barrier.wait()
            answers[place] = acts[place]()
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def sign_up(name: str, email: str, address: int) -> Callable[[], Any]:
    client = Client(raise_request_exception=False, REMOTE_ADDR=f"198.51.100.{address}")
    fields = {"username": name, "email": email, "password1": OLD}
    return lambda: client.post("/accounts/signup/", fields)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("round_", range(3))
def test_of_racing_sign_ups_with_one_name_one_wins_and_the_others_are_told(round_: int) -> None:
    names = ["mika", "Mika", "MIKA", "mika", "mika", "mikA"]
    answers = at_once(*(sign_up(name, f"mika{i}@example.com", i) for i, name in enumerate(names)))
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [200] * 5 + [302]
    assert all("already exists" in answer.text for answer in answers if answer.status_code == 200)
    assert User.objects.count() == EmailAddress.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_racing_sign_ups_with_one_address_are_all_let_in_and_one_of_them_verifies_it() -> None:
    answers = at_once(*(sign_up(f"mika{i}", "mika@example.com", i) for i in range(6)))
    assert [answer.status_code for answer in answers] == [302] * 6
    keys = [EmailConfirmationHMAC(row).key for row in EmailAddress.objects.all()]
    clients = [Client(raise_request_exception=False, REMOTE_ADDR=f"198.51.100.{i}") for i in range(6)]
    addresses = [reverse("account_confirm_email", args=[key]) for key in keys]
    codes = at_once(*(lambda c=c, a=a: c.post(a).status_code for c, a in zip(clients, addresses, strict=True)))
    assert set(codes) == {302}
    assert EmailAddress.objects.filter(verified=True).count() == 1


# The command for operators


def made_by_command(*args: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("make_token", *args, stdout=out, stderr=err)
    return out.getvalue().strip(), err.getvalue()


def test_an_operator_makes_a_token(person: User) -> None:
    text, said = made_by_command("Mika", "--scope", "write", "--days", "7", "--name", "nightly job")
    assert token_works(text)
    made = ApiToken.objects.get()
    assert (made.scope, made.name, made.user) == ("write", "nightly job", person)
    assert text not in said
    assert "nightly job" in said


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nobody", "--scope", "read"], "There is no account named 'nobody'"),
        (["mika\0", "--scope", "read"], "There is no account named"),
        (["mika", "--scope", "read", "--days", "0"], "--days: 0 is not from 1 to"),
        (["mika", "--scope", "read", "--days", "99999999"], "--days"),
        (["mika", "--scope", "read", "--name", "x" * 61], "--name: give 1 to 60"),
        (["mika", "--scope", "staff"], "This scope is for staff."),
        (["mika", "--scope", "root"], "invalid choice: 'root'"),
        (["mika"], "--scope"),
    ],
)
def test_what_an_operator_got_wrong_is_said(person: User, args: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message.replace("(", r"\(")):
        made_by_command(*args)
    assert not ApiToken.objects.exists()


def test_no_token_is_made_for_an_account_that_is_switched_off(person: User) -> None:
    User.objects.update(is_active=False)
    with pytest.raises(CommandError, match="switched off"):
        made_by_command("mika", "--scope", "read")
