"""What the routes are given: the desk, and the session of who asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from flexunet.review.desk import Desk
from flexunet.review.readings.masks import Where
from flexunet.review.store.tables import Item
from flexunet.review.web.accounts import Accounts
from flexunet.review.web.sessions import Session, Sessions


def _desk(request: Request) -> Desk:
    return request.app.state.desk


def _session(request: Request) -> Session:
    return request.state.session


@dataclass(frozen=True)
class SigningIn:
    """What signing in takes.

    Attributes:
        accounts: The accounts.
        sessions: The sessions.
        cookie: Name of the cookie.
        secure: Whether the cookie is sent over TLS alone.
    """

    accounts: Accounts
    sessions: Sessions
    cookie: str
    secure: bool


def _signing(request: Request) -> SigningIn:
    return request.app.state.signing


Signing = Annotated[SigningIn, Depends(_signing)]
OnDesk = Annotated[Desk, Depends(_desk)]
Asking = Annotated[Session, Depends(_session)]


class Asked:
    """An image that somebody asks about: its row, whose file is unchanged, and the mask of this reader."""

    def __init__(self, number: int, desk: OnDesk, asking: Asking):
        self.desk = desk
        self.reader = asking.reader
        self.item: Item = desk.images.checked(number)
        if desk.settings.consensus:
            asking.require("reviewer", "a consensus is found by reviewers")
        self.track = desk.track_of(asking.reader)
        self.where: Where = desk.where(self.item, self.track)


OnItem = Annotated[Asked, Depends()]
