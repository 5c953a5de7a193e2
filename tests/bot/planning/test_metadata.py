"""What a body says to the next run: read again whatever its values hold, harmless when damaged."""

import base64
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.planning.metadata import (
    Metadata,
    read_metadata,
    with_notice,
    with_replaced,
    write_metadata,
)
from bot.planning.remembered import ChangeRecord
from tests.bot.planning.signs import NASTY

TEXTS = NASTY | st.sampled_from(["-->", "--!>", "<!-- pilotfish:metadata {} -->", "a--b", "\n"])
CHANGES = st.builds(
    ChangeRecord, file=TEXTS, line=st.integers(0, 10**6), policy=TEXTS, old=TEXTS, new=TEXTS
)
START = '<!-- pilotfish:metadata {"version":1,"key":"k","base":"main","branch":"b","head":"h"'
WEB = ChangeRecord(file="a.yaml", line=1, policy="web", old="1.0.0", new="1.1.0")


def recorded(*changes: ChangeRecord, key: str = "web") -> Metadata:
    return Metadata(
        key=key, base="main", branch="pilotfish/web", head="a1", changes=frozenset(changes)
    )


def packed(text: bytes) -> str:
    return base64.b64encode(zlib.compress(text)).decode()


@given(TEXTS, st.lists(CHANGES, max_size=3), TEXTS)
def test_whatever_its_values_hold_it_is_one_comment_that_is_read_again(
    key: str, changes: list[ChangeRecord], before: str
) -> None:
    metadata = recorded(*changes, key=f"web {key}")
    text = write_metadata(metadata)

    assert text.count("<!--") == text.count("-->") == 1
    assert "--" not in text.removeprefix("<!--").removesuffix("-->")
    assert "\n" not in text
    assert read_metadata(f"{before}\n\n{text}\n") == metadata


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<!-- pilotfish:metadata -->",
        "<!-- pilotfish:metadata {} -->",
        "<!-- pilotfish:metadata [] -->",
        "<!-- pilotfish:metadata " + "[" * 50_000 + " -->",
        START.replace('"version":1', '"version":2') + "} -->",
        START.replace('"key":"k"', '"key":"\\ud800"') + "} -->",
        START + ',"changes":["a"]} -->',
        START + ',"changes":[{"file":"a"}]} -->',
        START + ',"pushed":["yesterday"]} -->',
        START + ',"told":"edited"} -->',
        START + ',"changes":"no base64"} -->',
        START + f',"changes":"{packed(b"no list")}"}} -->',
        START + f',"changes":"{packed(b"[]")[:8]}"}} -->',
        START + f',"changes":"{base64.b64encode(b"[]").decode()}"}} -->',
        START + f',"changes":"{packed(b"[" + b" " * (8 << 20) + b"]")}"}} -->',
    ],
)
def test_a_damaged_comment_says_nothing(text: str) -> None:
    assert read_metadata(text) is None


def test_a_newer_one_takes_the_place_of_every_other() -> None:
    old, new = recorded(WEB), recorded(WEB, key="api")
    body = f"Read me.\n\n{write_metadata(old)}\n{write_metadata(old)}\n"

    again = with_replaced(with_notice(with_notice(body, "One."), "Two."), new)

    assert again.count("pilotfish:metadata") == 1
    assert "One." not in again
    assert read_metadata(again) == new


def test_three_hundred_changes_take_a_small_part_of_a_body() -> None:
    changes = [
        ChangeRecord(
            file=f"clusters/prod-eu-1/apps/service-{n:03}/deployment.yaml",
            line=n + 12,
            policy=f"ghcr.io/acme-platform/service-{n:03}",
            old=f"1.4.{n}",
            new=f"1.5.{n * 7}",
        )
        for n in range(300)
    ]
    text = write_metadata(recorded(*changes))

    assert len(text) < 10_000
    assert "--" not in text.removeprefix("<!--").removesuffix("-->")
    assert read_metadata(text) == recorded(*changes)
