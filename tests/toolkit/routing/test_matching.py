"""Which rule a path leads to: against the order written down, and the cases it does not have."""

from __future__ import annotations

import re
import time
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stein.toolkit.exceptions import MethodNotAllowed, NotFound
from stein.toolkit.routing import Map, RequestRedirect, Rule, Submount, WebsocketMismatch

# -- the order, as a naive program: all rules that fit, sorted ------------------------------------


class Kind(NamedTuple):
    """What a placeholder takes, and what it weighs."""

    text: str
    regex: str
    weight: int


STRING = Kind("<{}>", "[^/]+", 100)
PAIR = Kind("<string(length=2):{}>", "[^/]{2}", 100)
NUMBER = Kind("<int:{}>", r"\d+", 50)
WORD = Kind("<any(a,b,ab):{}>", "(?:a|b|ab)", 100)
PATH = Kind("<path:{}>", "[^/].*?", 200)

Segment = tuple["str | Kind", ...]


class Pattern(NamedTuple):
    """A rule, in the words of this test."""

    segments: tuple[Segment, ...]
    branch: bool
    methods: frozenset[str] | None
    strict: bool

    def text(self) -> str:
        number = 0
        words = []
        for segment in self.segments:
            words.append("/")
            for piece in segment:
                if isinstance(piece, str):
                    words.append(piece)
                else:
                    words.append(piece.text.format(f"v{number}"))
                    number += 1
        return "".join(words) + ("/" if self.branch or not words else "")

    def parts(self) -> list[tuple[Any, ...]]:
        """Each part: its pattern, weight, and whether it goes on to the end of the path."""
        found: list[tuple[Any, ...]] = []
        segments = list(self.segments)
        while segments:
            taken = [segments.pop(0)]
            if PATH in taken[0]:
                taken += segments
                segments = []
            texts = [p for segment in taken for p in segment if isinstance(p, str)]
            kinds = [p for segment in taken for p in segment if not isinstance(p, str)]
            regex = "/".join(
                "".join(re.escape(p) if isinstance(p, str) else f"({p.regex})" for p in segment)
                for segment in taken
            )
            weight = (
                -len(texts),
                [(i, -len(text)) for i, text in enumerate(texts)],
                -len(kinds),
                [kind.weight for kind in kinds],
            )
            final = PATH in taken[0]
            suffixed = final and self.branch
            found.append((regex, final, suffixed, not kinds, weight))
        if self.branch or not self.segments:
            found.append(("", False, False, True, ()))
        return found


def fit(pattern: Pattern, path: str) -> tuple[str, list[str], list[int]] | None:
    """How a rule fits a path ("exact", "more": a slash too many, "less"), and what it takes.

    The numbers say how many of its parts the path has reached, for the order.
    """
    segments = path.split("/")[1:]
    taken: list[str] = []
    parts = pattern.parts()
    for place, (regex, final, suffixed, *_) in enumerate(parts):
        if not segments:
            missing = place == len(parts) - 1 and regex == ""
            return ("less", taken, []) if missing else None
        if final:
            text = "/".join(segments)
            segments = []
            if suffixed:
                if text.endswith("/"):
                    text, segments = text[:-1], [""]
                if text.endswith("/") or not text:
                    return None
        else:
            text = segments.pop(0)
        match = re.fullmatch(regex, text)
        if match is None:
            return None
        taken += match.groups()
    if not segments:
        return "exact", taken, []
    if segments == [""] and not pattern.strict:
        return "more", taken, []
    return None


def expected(  # noqa: C901 - it is the order in one piece
    patterns: list[Pattern], path: str, method: str
) -> tuple[Any, ...]:
    def key(number: int, how: str) -> list[Any]:
        parts = patterns[number].parts()
        levels: list[Any] = []
        for place, (_, _, _, static, weight) in enumerate(parts):
            if how == "less" and place == len(parts) - 1:
                break
            # Siblings of equal weight: the part that was there first.
            first = next(
                i
                for i, other in enumerate(patterns)
                if other.parts()[: place + 1] == parts[: place + 1]
            )
            levels.append((0,) if static else (1, weight, first))
        levels.append({"exact": (0, number), "less": (1, number), "more": (2, number)}[how])
        return levels

    fits = [(i, fit(pattern, path)) for i, pattern in enumerate(patterns)]
    ways = sorted((key(i, found[0]), i, found) for i, found in fits if found is not None)
    refused: set[str] = set()
    for _, number, (how, taken, _) in ways:
        methods = patterns[number].methods
        if methods is None or method in methods:
            if how == "less" and patterns[number].strict:
                return "redirect", f"{path}/"
            return "found", number, taken
        if how != "less":
            refused |= methods
    if "//" in path:
        merged = re.sub("/+", "/", path)
        again = expected(patterns, merged, method)
        if again[0] == "found":
            return "redirect", merged
        if again[0] == "redirect":
            return again
        refused |= set(again[1])
    return "refused", sorted(refused)


TEXTS = st.sampled_from(["a", "b", "ab", "1"])
KINDS = st.sampled_from([STRING, PAIR, NUMBER, WORD, PATH])
SEGMENTS = st.one_of(
    TEXTS.map(lambda text: (text,)),
    KINDS.map(lambda kind: (kind,)),
    st.tuples(TEXTS, KINDS),
    st.tuples(KINDS, TEXTS),
    st.tuples(KINDS, st.just("-"), KINDS),
)
METHODS = st.sampled_from([None, None, frozenset({"GET", "HEAD"}), frozenset({"POST"})])
PATTERNS = st.builds(
    Pattern, st.lists(SEGMENTS, max_size=3).map(tuple), st.booleans(), METHODS, st.booleans()
)
PATHS = st.lists(
    st.sampled_from(["a", "b", "ab", "1", "a1", "a-b", "1-1", "x", ""]), max_size=5
).map(lambda segments: "/" + "/".join(segments).lstrip("/"))


@settings(max_examples=600, deadline=None)
@given(st.lists(PATTERNS, min_size=1, max_size=12), st.lists(PATHS, max_size=12))
def test_the_rule_found_is_the_first_in_the_order_that_is_written_down(
    patterns: list[Pattern], paths: list[str]
) -> None:
    urls = Map()
    for number, pattern in enumerate(patterns):
        urls.add(
            Rule(
                pattern.text(),
                endpoint=number,
                methods=pattern.methods,
                strict_slashes=pattern.strict,
            )
        )
    # A branch that ends with nothing but its slash is the root, which can have no other text.
    patterns = [p if p.segments else p._replace(branch=False) for p in patterns]
    adapter = urls.bind("localhost")
    for path in paths:
        try:
            number, values = adapter.match(path, "GET")
            answer: tuple[Any, ...] = ("found", number, [str(v) for v in values.values()])
        except RequestRedirect as redirect:
            answer = ("redirect", redirect.new_url.removeprefix("http://localhost"))
        except MethodNotAllowed as error:
            answer = ("refused", list(error.valid_methods or ()))
        except NotFound:
            answer = ("refused", [])
        assert answer == expected(patterns, path, "GET"), path


# -- cases ----------------------------------------------------------------------------------------


def found(rules: list[Rule], path: str, method: str = "GET", **options: Any) -> Any:
    """The endpoint a path leads to, or where it is redirected, or the name of the error."""
    try:
        return Map(rules, **options).bind("h").match(path, method)[0]
    except RequestRedirect as redirect:
        return redirect.new_url.removeprefix("http://h")
    except (NotFound, MethodNotAllowed, WebsocketMismatch) as error:
        return type(error).__name__


def test_many_parts_in_one_place_keep_their_order() -> None:
    rules = [Rule(f"/{head}<v{n}>{tail}", endpoint=head + tail)
             for n, (head, tail) in enumerate((h, t) for h in ("", "a", "ab", "b", "abc")
                                              for t in ("", ".x", ".xy"))]  # fmt: skip
    rules += [Rule("/<int:n>", endpoint="int"), Rule("/<path:n>/end", endpoint="path")]
    rules += [Rule("/<path:n>/branch/", endpoint="branch"), Rule("/ab<path:n>", endpoint="ab-path")]
    assert found([rule.empty() for rule in rules], "/abcd.x") == "abc.x"
    assert found([rule.empty() for rule in rules], "/abd.xy") == "ab.xy"
    assert found([rule.empty() for rule in rules], "/d.x") == ".x"
    assert found([rule.empty() for rule in rules], "/7") == "int"
    assert found([rule.empty() for rule in rules], "/7/8/end") == "path"
    assert found([rule.empty() for rule in rules], "/ab/8/end") == "path"
    assert found([rule.empty() for rule in rules], "/7/8/branch/") == "branch"
    assert found([rule.empty() for rule in rules], "/7/8/branch") == "/7/8/branch/"
    assert found([rule.empty() for rule in rules], "/abc/d") == "ab-path"
    assert found([rule.empty() for rule in rules], "/c/d") == "NotFound"


def test_the_time_does_not_grow_with_the_number_of_rules() -> None:
    def seconds(count: int) -> float:
        rules = [Rule(f"/p{n}-<v>", endpoint=n) for n in range(count)]
        rules += [Rule(f"/<path:v>/op{n}", endpoint=-n) for n in range(count)]
        adapter = Map(rules).bind("h")
        paths = [f"/p{n}-x" for n in range(0, count, count // 8)]
        paths += [f"/a/b/op{n}" for n in range(0, count, count // 8)]
        assert [adapter.match(path)[0] for path in paths[:2]] == [0, count // 8]
        times = []
        for _ in range(5):
            begin = time.perf_counter()
            for path in paths:
                adapter.match(path)
            times.append(time.perf_counter() - begin)
        return min(times)

    assert seconds(2000) < 8 * seconds(40)


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("", "/"),
        ("/", "index"),
        ("//", "index"),
        ("a", "a"),
        ("///a", "a"),
        ("/a/", "NotFound"),
        ("/b", "/b/"),
        ("/b/", "b"),
        ("/b//", "/b/"),
        ("/c//d", "/c/d"),
        ("/c//e", "NotFound"),
        ("/c//f", "c//f"),
        ("/g/", "g"),
        ("/h", "h"),
        ("/a\n", "NotFound"),
        ("/ä", "ä"),
    ],
)
def test_slashes(path: str, answer: str) -> None:
    rules = [
        Rule("/", endpoint="index"),
        Rule("/a", endpoint="a"),
        Rule("/b/", endpoint="b"),
        Rule("/c/d", endpoint="c/d"),
        Rule("/c/e", endpoint="c/e", merge_slashes=False),
        Rule("/c//f", endpoint="c//f", merge_slashes=False),
        Rule("/g", endpoint="g", strict_slashes=False),
        Rule("/h/", endpoint="h", strict_slashes=False),
        Rule("//never", endpoint="never", merge_slashes=False),
        Rule("/ä", endpoint="ä"),
    ]
    assert found(rules, path) == answer


def test_a_map_may_leave_double_slashes_alone() -> None:
    assert found([Rule("/a/b", endpoint=1)], "/a//b", merge_slashes=False) == "NotFound"
    urls = Map([Rule("/a/b", endpoint=1, merge_slashes=True)], merge_slashes=False)
    assert urls.merge_slashes is False
    urls.merge_slashes = True
    with pytest.raises(RequestRedirect):
        urls.bind("h").match("/a//b")


def test_the_methods_of_all_rules_that_fit_are_named() -> None:
    rules = [
        Rule("/<a>", methods=["get"]),
        Rule("/x", methods=["PUT"]),
        Rule("/x/", methods=["DELETE"], strict_slashes=False),
    ]
    adapter = Map(rules).bind("h")
    with pytest.raises(MethodNotAllowed) as caught:
        adapter.match("/x", "POST")
    assert caught.value.valid_methods == ["GET", "HEAD", "PUT"]
    assert ("Allow", "GET, HEAD, PUT") in caught.value.get_headers()
    assert adapter.allowed_methods("/x") == ["GET", "HEAD", "PUT"]
    assert adapter.allowed_methods("/y/z") == []
    assert adapter.test("/x", "DELETE")  # by the slash that may be missing
    assert not adapter.test("/x/y")
    assert list(Map([Rule("/")]).bind("h").allowed_methods("/")) == []


def test_a_value_that_is_refused_does_not_hide_the_methods_of_other_rules() -> None:
    rules = [Rule("/x/<int(max=3):a>"), Rule("/x/7", methods=["POST"])]
    with pytest.raises(MethodNotAllowed):
        Map(rules).bind("h").match("/x/7")


def test_rules_for_websockets_are_a_world_of_their_own() -> None:
    rules = [
        Rule("/", endpoint="page"),
        Rule("/", endpoint="socket", websocket=True),
        Rule("/only", endpoint="only", websocket=True),
    ]
    adapter = Map(rules).bind("h")
    assert adapter.match("/") == ("page", {})
    assert adapter.match("/", websocket=True) == ("socket", {})
    assert adapter.map.bind("h", url_scheme="wss").match("/only") == ("only", {})
    with pytest.raises(WebsocketMismatch):
        adapter.match("/only")


def test_subdomains_may_have_placeholders() -> None:
    rules = [
        Rule("/", subdomain="www", endpoint="www"),
        Rule("/", subdomain="<user>", endpoint="user"),
        Rule("/x/<int:n>", subdomain="<a>-<b>", endpoint="two"),
        Rule("/never", subdomain="a/b", endpoint="never"),
        Rule("/p", subdomain="<path:p>.p", endpoint="path"),
    ]
    urls = Map(rules)
    assert urls.bind("h", subdomain="www").match("/") == ("www", {})
    assert urls.bind("h", subdomain="a.b").match("/") == ("user", {"user": "a.b"})
    assert urls.bind("h", subdomain="a-b").match("/x/1") == ("two", {"a": "a", "b": "b", "n": 1})
    assert urls.bind("h", subdomain="a.p").match("/p") == ("path", {"p": "a"})
    with pytest.raises(NotFound):
        urls.bind("h").match("/")
    with pytest.raises(NotFound):
        urls.bind("h", subdomain="a").match("/b/never")


def test_hosts_may_have_placeholders() -> None:
    rules = [
        Rule("/", host="www.<domain>", endpoint="www"),
        Rule("/", host="static.example.com", endpoint="static"),
    ]
    urls = Map(rules, host_matching=True)
    assert urls.bind("www.example.com").match("/") == ("www", {"domain": "example.com"})
    assert urls.bind("static.example.com").match("/") == ("static", {})


def test_of_a_name_that_is_there_twice_the_first_text_counts() -> None:
    adapter = Map([Rule("/<b>/<a>/<a>", endpoint=1)]).bind("h")
    assert adapter.match("/1/x/y") == (1, {"b": "1", "a": "x"})


def test_a_rule_for_building_only_is_never_found() -> None:
    assert found([Rule("/a", endpoint=1, build_only=True)], "/a") == "NotFound"


def test_a_rule_may_be_very_deep() -> None:
    path = "/a" * 3000
    mounted = Submount(path, [Rule("/<v>", endpoint=1)])
    assert Map([mounted]).bind("h").match(f"{path}/x") == (1, {"v": "x"})
    assert found([Rule(f"{path}/<v>/b", endpoint=1)], f"{path}/x") == "NotFound"


@pytest.mark.parametrize(
    "path",
    [text * (65000 // len(text)) for text in ("/", "/a", "/1/x", "/-1", "/a//", "/\x00\udcff")],
)
def test_a_long_path_takes_linear_time(path: str) -> None:
    rules = [
        Rule("/<path:a>/x/<path:b>/y/<path:c>"),
        Rule("/<path:a>/<int:b>/<path:c>/<d>/q/"),
        Rule("/<a>/<b>/<c>/<d>/end"),
        Rule("/a/<path:b>-<path:c>-<int:d>"),
    ]
    adapter = Map(rules).bind("h")
    begin = time.perf_counter()
    adapter.test(path)
    assert time.perf_counter() - begin < 2


@given(st.text(), st.text(), st.sampled_from(["GET", "get", "", "\xdf"]))
def test_any_path_gives_a_value_or_an_http_error(path: str, query: str, method: str) -> None:
    rules = [Rule("/<path:a>/x/"), Rule("/<int:a>"), Rule("/<a>-<b>/"), Rule("/a", redirect_to="b")]
    adapter = Map(rules).bind("h", default_method="GET")
    try:
        adapter.match(path, method, query_args=query)
    except (RequestRedirect, NotFound, MethodNotAllowed):
        pass
