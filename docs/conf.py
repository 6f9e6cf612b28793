"""How Sphinx builds the documentation."""

from __future__ import annotations

from importlib.metadata import version as version_of

project = "Eliot"
release = version = version_of("eliot")

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

# Backquotes without a role, as in docstrings, are code.
default_role = "code"

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"

nitpicky = True
# Names of the standard library and of dependencies: the build needs no network, so it knows no
# other project's pages.
nitpick_ignore_regex = [
    ("py:.*", r"(?!eliot\b).*"),
    # Underscored types, in signatures, have no page.
    ("py:class", r"eliot\.(.+\.)?_.+"),
]

html_theme = "furo"
html_title = f"Eliot {release}"
