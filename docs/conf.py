"""How Sphinx builds the site: strictly and without a network (`make docs`)."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "Taskgraft"
author = "the authors of Taskgraft"
project_copyright = author
release = version = version_of("taskgraft")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "http_reference"]
exclude_patterns: list[str] = []

html_theme = "furo"
html_title = "Taskgraft"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
highlight_language = "none"
pygments_style, pygments_dark_style = "friendly", "native"

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

# Docstrings name code in single quotes.
default_role = "code"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
python_use_unqualified_type_names = True
nitpicky = False


def _show_operations() -> None:
    """Let autodoc see the calls of the clients as the methods that they are for their users."""
    import inspect  # noqa: PLC0415
    from typing import get_args  # noqa: PLC0415

    from taskgraft import Client  # noqa: PLC0415
    from taskgraft.api.client.call import Operation  # noqa: PLC0415

    def method_of(operation: Operation[..., object]) -> object:
        def method() -> None: ...

        build = inspect.signature(operation.__wrapped__)
        own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        answer = get_args(build.return_annotation)[0]
        shown = build.replace(parameters=[own, *build.parameters.values()], return_annotation=answer)
        method.__doc__, method.__signature__ = operation.__doc__, shown  # type: ignore[attr-defined]
        return method

    for owner in Client.__mro__:
        for name, found in list(vars(owner).items()):
            if isinstance(found, Operation):
                setattr(owner, name, method_of(found))


_show_operations()
