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
