"""Hooks of schemathesis: how the body of an upload is sent. Loaded by its command, in a process of its own."""

from typing import Any

import schemathesis


@schemathesis.serializer("application/zip")
def zip_body(_: Any, value: Any) -> bytes:
    """Send bytes as they are; what else it makes up is sent as its text."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
