"""Filters that a part of a tag is enough for are noted where they stand."""

from bot.errors import Severity
from bot.planning.loose_filters import loose_filters
from tests.bot.planning.situations import bound, configured

LOOSE = """\
policies:
  web: {image: acme/web, numerical: asc, filter: "v(?P<n>[0-9]+)", extract: $n}
"""
WHOLE = LOOSE.replace('"v', '"^v').replace(')"', ')$"')
NAMED = 'image: acme/web:v1 # {"$imagepolicy": "flux-system:web"}\n'
INLINE = "image: acme/api:v1 # pilotfish: alphabetical asc filter=^v\n"


def test_a_named_policy_is_noted_once_where_it_is_defined() -> None:
    (note,) = loose_filters(configured(LOOSE), bound(NAMED, LOOSE))

    assert (note.severity, note.line) == (Severity.NOTE, 3)
    assert note.file.endswith(".yaml")
    assert "'v(?P<n>[0-9]+)'" in note.message


def test_a_filter_of_a_marker_is_noted_on_its_line() -> None:
    (note,) = loose_filters(configured(), bound({"b.yaml": "# first\n" + INLINE}))

    assert note.where == "b.yaml:2"


def test_a_filter_of_whole_tags_is_not_noted() -> None:
    inline = bound({"b.yaml": INLINE.replace("^v", "^v.*$")})

    assert loose_filters(configured(WHOLE), inline) == []
