"""`person_id`: a user's id as it stands, or an anonymous visitor's behind a prefix, so that the two never meet.

Likewise `visitor_id` of a user's event that names no visitor: no tracker's visitor can have it.
"""

from typing import Final

VISITOR: Final = "visitor:"
USER: Final = "user:"
"""Stands before the id of a user only where that id itself begins with one of the two."""

ACCOUNT: Final = " user:"
"""Before a user's id it is the visitor of an event that names none: since no id begins with a blank, it is nobody else's."""


def of_user(user_id: str) -> str:
    """The person that a user is.

    >>> of_user("4242"), of_user("visitor:4242")
    ('4242', 'user:visitor:4242')
    """
    return USER + user_id if user_id.startswith((VISITOR, USER)) else user_id


def of_visitor(visitor_id: str) -> str:
    """The person that a visitor is of whom no user is known.

    >>> of_visitor("4242")
    'visitor:4242'
    """
    return VISITOR + visitor_id


def id_of(person_id: str) -> str:
    """The user's or the visitor's own id.

    >>> [id_of(person) for person in ("4242", "visitor:4242", "user:visitor:4242")]
    ['4242', '4242', 'visitor:4242']
    """
    return person_id.removeprefix(VISITOR) if person_id.startswith(VISITOR) else person_id.removeprefix(USER)
