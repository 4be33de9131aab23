"""Cursors of pages of trials: opaque to clients, and the number of the last trial that they have seen."""

import base64

from taskgraft.errors import InvalidInput

_MAX_DIGITS = 18


def trial_cursor(number: int) -> str:
    """Return the cursor of the page behind a trial.

    >>> trial_cursor(99)
    'OTk'
    """
    return base64.urlsafe_b64encode(str(number).encode()).decode().rstrip("=")


def read_trial_cursor(cursor: str | None) -> int:
    """Return the number of the trial that a cursor's page comes behind; -1 without a cursor.

    Raises:
        InvalidInput: at ``cursor``: no page gave it.
    """
    if cursor is None:
        return -1
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except ValueError:  # not base 64, or not text
        text = ""
    if not text.isdigit() or len(text) > _MAX_DIGITS:
        raise InvalidInput.at("cursor", f"the next_cursor of a page; got {cursor!r:.80}")
    return int(text)
