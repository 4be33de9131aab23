"""What tests read off a page."""

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class _Parts:
    """Tags with their attributes, and the text of a page."""

    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    text: str = ""


class Page(HTMLParser):
    """A page as a browser reads it: its tags, also those of templates, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self._parts = _Parts()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._parts.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self._parts.text += data

    @property
    def text(self) -> str:
        return " ".join(self._parts.text.split())

    @property
    def ids(self) -> list[str]:
        return [attributes["id"] for _, attributes in self._parts.tags if "id" in attributes]

    @property
    def fetched(self) -> list[str]:
        """What a browser would fetch."""
        links = [attributes["href"] for tag, attributes in self._parts.tags if tag == "link"]
        return links + [attributes["src"] for _, attributes in self._parts.tags if "src" in attributes]

    def tags(self, *names: str) -> list[dict[str, str]]:
        """The attributes of all tags of these names."""
        return [attributes for tag, attributes in self._parts.tags if tag in names]

    def place_of(self, path: str) -> str:
        """Where static/faults.js shows the fault of a field: the element of the field, or of what it lies in."""
        ids = set(self.ids)
        while path and f"fault-{path}" not in ids:
            path = path.rpartition(".")[0]
        return f"fault-{path}" if path else ""
