"""What the laws are tried on: tags, versions, policies and facts, near enough to collide."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from policies import Fact, Facts

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

numbers = st.integers(min_value=0, max_value=12)
prereleases = st.sampled_from(["", "", "", "-rc.1", "-rc.2", "-alpha", "-0", "-beta.11", "-alpine"])


@st.composite
def versions(draw: st.DrawFn) -> str:
    """Return a version of three numbers, sometimes with a `v` or a pre-release."""
    prefix = draw(st.sampled_from(["", "v"]))
    parts = ".".join(str(draw(numbers)) for _ in range(3))
    return f"{prefix}{parts}{draw(prereleases)}"


words = st.text(alphabet="abv019.-_", min_size=1, max_size=8)
builds = st.builds("main-{:07x}-{}".format, st.integers(0, 16**7 - 1), st.integers(1700, 1730))
short = st.builds("{}.{}".format, numbers, numbers)
signatures = st.builds("sha256-{}.sig".format, st.integers(10**6, 10**7))
tags = st.one_of(versions(), versions(), builds, short, words, signatures)
tag_lists = st.lists(tags, max_size=25)

ranges = st.sampled_from(
    ["*", "^1", "~1.2", ">=1 <3", "1.x || 3.x", ">=0.0.0-0", "!=2", "<=4.1", "1 - 2", "^0.2"]
)
options: st.SearchStrategy[dict[str, object]] = st.one_of(
    st.fixed_dictionaries({"semver": ranges}),
    st.just({"semver": ""}),
    st.just({"semver": "", "variant": "any", "precision": "any"}),
    st.fixed_dictionaries({"semver": ranges, "variant": st.just("keep")}),
    st.fixed_dictionaries({"alphabetical": st.sampled_from(["asc", "desc"])}),
    st.fixed_dictionaries({"numerical": st.sampled_from(["asc", "desc"])}),
    st.fixed_dictionaries(
        {
            "numerical": st.sampled_from(["asc", "desc"]),
            "filter": st.just("^main-[0-9a-f]+-(?P<n>[0-9]+)$"),
            "extract": st.just("$n"),
        }
    ),
    st.just({"newest-built": True}),
    st.just({"newest-pushed": True}),
)

ages = st.integers(min_value=-3, max_value=9).map(lambda days: NOW - timedelta(days=days))
UNAVAILABLE = dict.fromkeys(Fact, "the registry keeps none")


@st.composite
def facts_of(draw: st.DrawFn) -> Facts:
    """Return facts of which nothing is left to ask for, some of them not to be had."""
    created = draw(st.one_of(ages, st.just(datetime(1980, 1, 1, tzinfo=UTC))))
    pushed = draw(st.none() | ages)
    return Facts(
        created=created,
        pushed=pushed,
        digest="sha256:" + "a" * 64,
        platforms=frozenset(draw(st.sets(st.sampled_from(["linux/amd64", "linux/arm64"])))),
        unavailable=UNAVAILABLE,
    )
