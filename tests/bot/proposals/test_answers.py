"""Our one comment that answers commands: written, read back, bounded, each answered once."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from bot.proposals.answers import (
    MOST_IDS,
    MOST_ROWS,
    Answer,
    Answers,
    read_answers,
    write_answers,
)
from tests.bot.planning.situations import NOW

PLENTY = 60_000
TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=20)
IDS = st.from_regex(r"\A[0-9]{1,8}\Z")
ANSWERS = st.builds(
    Answers,
    rows=st.lists(
        st.builds(
            Answer, id=IDS, text=TEXTS.filter(lambda t: "<!--" not in t), waits=st.booleans()
        ),
        max_size=4,
    ).map(tuple),
    answered=st.lists(IDS, max_size=4).map(tuple),
    before=st.none() | st.just(NOW),
    folded=st.sampled_from(["", "<details>\n\n| a |\n\n</details>\n"]),
)


@given(ANSWERS)
def test_what_is_written_is_read_again(answers: Answers) -> None:
    assert read_answers(write_answers(answers, max_chars=PLENTY)) == answers


def test_the_newest_answer_stands_first() -> None:
    made = Answers().with_answers([Answer(id="1", text="a"), Answer(id="2", text="b")], {})
    assert [row.id for row in made.rows] == ["2", "1"]
    assert made.answered == ("1", "2")


def test_what_waits_is_asked_again_and_its_row_is_replaced() -> None:
    waits = Answers().with_answers([Answer(id="1", text="soon", waits=True)], {})
    assert not waits.has_answered("1", NOW)
    done = waits.with_answers([Answer(id="1", text="done")], {})
    assert done.has_answered("1", NOW)
    assert [row.text for row in done.rows] == ["done"]


def test_rows_and_ids_are_bounded_and_nothing_is_answered_twice() -> None:
    created = {str(n): NOW + timedelta(minutes=n) for n in range(MOST_IDS + 50)}
    made = Answers()
    for one in created:
        made = made.with_answers([Answer(id=one, text="x")], created)
    read = read_answers(write_answers(made, max_chars=PLENTY))
    assert (len(read.rows), len(read.answered)) == (MOST_ROWS, MOST_IDS)
    assert all(read.has_answered(one, when) for one, when in created.items())
    assert not read.has_answered("9999", NOW + timedelta(days=1))


def test_a_comment_that_grows_too_long_loses_what_is_folded_then_old_rows() -> None:
    long = Answers(rows=tuple(Answer(id=str(n), text="x" * 90) for n in range(9)), folded="y" * 900)
    text = write_answers(long, max_chars=800)
    assert len(text) <= 800
    assert "yyy" not in text
    left = [row.id for row in read_answers(text).rows]
    assert left == ["0", "1", "2", "3", "4"]


def test_a_damaged_comment_is_read_as_far_as_it_goes() -> None:
    assert read_answers("<!-- pilotfish:answered 1,,2 before soon -->") == Answers(
        answered=("1", "2")
    )
    assert read_answers("hello") == Answers()
