"""Numbers with their nouns."""

from bot.cli.counts import counted


def test_one_is_singular_and_all_others_are_plural() -> None:
    assert [counted(number, "field") for number in range(3)] == ["0 fields", "1 field", "2 fields"]


def test_a_plural_may_be_its_own() -> None:
    assert counted(2, "policy", "policies") == "2 policies"
