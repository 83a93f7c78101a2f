"""Where links may lead, and how they are parsed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import hypothesis
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobs.errors import BlockedAddress, BlockedRedirect, RemoteUnavailable
from jobs.outbound.public_addresses import is_public_address
from jobs.outbound.targets import join_target, target_addresses, target_of
from jobs.outbound.url_parser import BadUrl, ParsedUrl

THE_SAME_EACH_TIME = hypothesis.settings(derandomize=True, deadline=None, max_examples=200)
NOT_FOUND = "We couldn't find a public address for example.org."
PLACE = ParsedUrl("https", "example.org", 443, "/a/b?c=d")

# Parts that URL parsers disagree about, in any order: random text would hardly ever be a URL.
PIECES = st.sampled_from(
    [
        *["http://", "HTTPS://", "http:", "//", "/", "\\", "?", "#", "@", ":", ".", "。", "%", "-"],
        *[
            "example.org",
            "Bücher.example",
            "localhost",
            "ｌｏｃａｌｈｏｓｔ",
            ".local",
            "xn--",
            "ﬀ",
        ],
        *["127", "0x7f", "0177", "1", "2130706433", "①②⑦", "٣", "256", "0x", "8.8.8.8", "10."],
        *["[", "]", "[::1]", "[::ffff:10.0.0.1]", "[fe80::1%25eth0]", "[2606:4700::1]", "v1.x"],
        *[
            ":80",
            ":443",
            ":22",
            ":0",
            ":65536",
            ":٨٠",
            "user:pass@",
            "%31",
            "%00",
            "%zz",
            "é",
            "💩",
        ],
        *[
            " ",
            "\t",
            "\r\n",
            "\x00",
            "\x7f",
            "\x85",
            "\u2028",
            "\u00ad",
            "\u200d",
            "\u202e",
            "\ud800",
        ],
    ]
)
PUT_TOGETHER = st.lists(PIECES, max_size=12).map("".join)
LABELS = st.sampled_from(
    [
        *["example", "Ü", "a_b", "r3---sn", "local", "localhost", "ｌocal", "x" * 63, "-", "xn--a"],
        *["0", "1", "8", "10", "127", "①②⑦", "255", "256", "0x7f", "0X8", "010", "2130706433"],
    ]
)
HOSTS = (
    st.lists(LABELS, min_size=1, max_size=5).flatmap(
        lambda labels: st.sampled_from([".", "。"]).map(lambda dot: dot.join(labels))
    )
    | st.ip_addresses(v=4).map(str)
    | st.ip_addresses(v=6).map(lambda address: f"[{address}]")
)
LIKELY = st.builds(
    "{}://{}{}/{}".format,
    st.sampled_from(["http", "https"]),
    HOSTS,
    st.sampled_from(["", ".", ":", ":80", ":0443", ":8080", ":22"]),
    st.text(st.characters(exclude_categories=["Cc", "Cs", "Z"], exclude_characters="\\")),
)
LINKS = LIKELY | LIKELY | PUT_TOGETHER | st.text()


@pytest.mark.parametrize(
    ("url", "origin", "path"),
    [
        ("http://example.org", "http://example.org", "/"),
        ("HTTPS://Example.ORG/A", "https://example.org", "/A"),
        ("https://example.org:443/", "https://example.org", "/"),
        ("https://example.org:/", "https://example.org", "/"),
        ("http://example.org:443/", "http://example.org:443", "/"),
        ("https://example.org:8443/a", "https://example.org:8443", "/a"),
        ("http://example.org./a", "http://example.org", "/a"),
        ("http://example.org?a=b", "http://example.org", "/?a=b"),
        ("http://example.org#part", "http://example.org", "/"),
        ("http://example.org/a?b=c/d?e#part?x", "http://example.org", "/a?b=c/d?e"),
        ("http://example.org/a%20b%c3%bc?q=%26", "http://example.org", "/a%20b%c3%bc?q=%26"),
        ("http://example.org/100%.csv?50%zz", "http://example.org", "/100%25.csv?50%25zz"),
        ("http://example.org/ü?ü=💩", "http://example.org", "/%C3%BC?%C3%BC=%F0%9F%92%A9"),
        ('http://example.org/<"{|}^`>[]', "http://example.org", "/%3C%22%7B%7C%7D%5E%60%3E%5B%5D"),
        ("http://example.org/-._~!$&'()*+,;=:@", "http://example.org", "/-._~!$&'()*+,;=:@"),
        ("http://example.org/a/../b", "http://example.org", "/a/../b"),
        ("http://example.org//a:b/c:d", "http://example.org", "//a%3Ab/c:d"),
        (
            "http://example.org/a\u202fb\xa0c\u3000d",
            "http://example.org",
            "/a%E2%80%AFb%C2%A0c%E3%80%80d",
        ),
        ("http://example.org/a?b=c\\d", "http://example.org", "/a?b=c%5Cd"),
        ("http://example.org?\\@127.0.0.1/", "http://example.org", "/?%5C@127.0.0.1/"),
        ("http://exa%6Dple.org/", "http://example.org", "/"),
        ("http://b%C3%BCcher.example/", "http://xn--bcher-kva.example", "/"),
        ("http://%38.8.8.8/", "http://8.8.8.8", "/"),
        ("http://bücher.example", "http://xn--bcher-kva.example", "/"),
        ("http://BÜCHER。example。", "http://xn--bcher-kva.example", "/"),
        ("http://faß.example", "http://xn--fa-hia.example", "/"),
        ("http://a-.surge.example/", "http://a-.surge.example", "/"),
        ("http://-a.example/", "http://-a.example", "/"),
        ("http://i❤.example/", "http://xn--i-7iq.example", "/"),
        ("http://i❤️.example/", "http://xn--i-7iq.example", "/"),
        ("http://XN--I-7IQ.example/", "http://xn--i-7iq.example", "/"),
        ("http://💩.example/", "http://xn--ls8h.example", "/"),
        ("http://a--ü.example/", "http://xn--a---joa.example", "/"),
        ("http://ü-.example/", "http://xn----dha.example", "/"),
        ("http://ノ.example/", "http://xn--ldk.example", "/"),
        ("http://نامه\u200cای.example/", "http://xn--mgba3gch31f060k.example", "/"),
        ("http://www.אב.example/", "http://www.xn--4dbc.example", "/"),
        ("http://a\u00adb.example/", "http://ab.example", "/"),
        ("http://example.org/" + "a" * 7_900, "http://example.org", "/" + "a" * 7_900),
        ("http://my_bucket.s3.example", "http://my_bucket.s3.example", "/"),
        ("http://r3---sn-x.example", "http://r3---sn-x.example", "/"),
        ("http://8.8.8.8:8080/", "http://8.8.8.8:8080", "/"),
        ("http://0x08080808/", "http://8.8.8.8", "/"),
        ("https://[2606:4700:0:0::1111]:8443", "https://[2606:4700::1111]:8443", "/"),
    ],
)
def test_a_link_has_one_interpretation(url: str, origin: str, path: str) -> None:
    target = target_of(url)

    assert (target.origin, target.path) == (origin, path)
    assert target.origin == f"{target.scheme}://{target.host_header}"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org/a",
        "//example.org/a",
        "file:///etc/passwd",
        "gopher://example.org/",
        "ftp://example.org/",
        "data:text/plain,a",
        "javascript://example.org/%0aalert(1)",
        "httpſ://example.org/",
        "http:example.org",
        "http:/example.org",
        "http:///example.org",
        "http://",
        "http://:80/",
        "http://?a",
        "http://user@example.org/",
        "http://user:password@example.org/",
        "http://@example.org/",
        "http://example.org@127.0.0.1/",
        "http://example.org:0/",
        "http://example.org:65536/",
        "http://example.org:-80/",
        "http://example.org:+80/",
        "http://example.org:８０/",
        "http://example.org:80:80/",
        "http://example.org:a/",
        "http://example.org:" + "0" * 99 + "80/",
        " http://example.org/",
        "http://example.org/ ",
        "http://example.org/a b",
        "http://exa\tmple.org/",
        "http://example.org/\r\nHost: x",
        "http://example.org/\x00",
        "http://example.org/\x7f",
        "http://example.org/\x85",
        "http://example.org/\u2028",
        "http://example.org/\ud800",
        "http://example.org\\@127.0.0.1/",
        "http:\\\\example.org",
        "http://exam\xa0ple.org/",
        "http://ex\u3000ample.org/",
        "http://example.org/a\\b",
        "http://exa%ple.org/",
        "http://exa%256Dple.org/",
        "http://example.org%2F@127.0.0.1/",
        "http://example.org%5C/",
        "http://example.org%00/",
        "http://example.org%20/",
        "http://exam%A0ple.org/",
        "http://%C3.example/",
        "http://example.org%3A80/",
        "http://%5B2606:4700::1111%5D/",
        "http://%5B%3A%3A1%5D/",
        "http://a..example.org/",
        "http://.example.org/",
        "http://example.org../",
        "http://./",
        "http://a,b/",
        "http://*.example.org/",
        "http://" + "a" * 64 + ".example/",
        "http://" + "a." * 127 + "example/",
        "http://" + "ü" * 300,
        "http://xn--a.ü/",
        "http://xn--a.example/",
        "http://xn--/",
        "http://xn--a-.example/",
        "http://xn--BcHer-KvA2.example/",
        "http://\u0301a.example/",
        "http://a\u200db.example/",
        "http://a\u200cb.example/",
        "http://1.אב.example/",
        "http://אa.example/",
        "http://a\ufffd.example/",
        "http://℀.example/",
        "http://1.2.3.4.5/",
        "http://256.1.1.1/",
        "http://08.1.1.1/",
        "http://4294967296/",
        "http://example.1/",
        "http://example.0x/",
        "http://[]/",
        "http://[::1/",
        "http://::1/",
        "http://[::g]/",
        "http://[1.2.3.4]/",
        "http://[v1.a]/",
        "http://[::1]a/",
        "http://a[::1]/",
        "http://[[::1]]/",
        "http://[：：１]/",
        "http://example.org/" + "a" * 8_000,
    ],
)
def test_the_error_for_an_invalid_link_does_not_contain_it(url: str) -> None:
    with pytest.raises(BadUrl) as refused:
        target_of(url)

    sentence = str(refused.value)
    assert sentence.endswith(".")
    assert "example" not in sentence


def test_the_error_for_a_link_with_a_password_explains_it() -> None:
    with pytest.raises(BadUrl, match="password"):
        target_of("http://user:password@example.org/")


@pytest.mark.parametrize(
    "host",
    [
        *["localhost", "LOCALHOST", "localhost.", "a.localhost", "ｌｏｃａｌｈｏｓｔ", "ⓛocalhost"],
        *["printer.local", "local", "metadata.google.internal", "a。internal。"],
        *["127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "0", "0x0", "0.0.0.0"],
        *["0x7f.1", "0X7F.0x0.0x0.0x1", "2130706433", "0x7f000001", "017700000001", "0177.0.0.01"],
        *["①②⑦.0.0.1", "127。0。0。1", "１２７.1", "𝟎𝐱𝟕𝐟.𝟏", "127.0.0.\u00ad1"],
        *["10.0.0.1", "192.168.1.1", "169.254.169.254", "0xa9fea9fe", "100.64.0.1", "224.0.0.1"],
        *["255.255.255.255", "168.63.129.16", "192.0.2.1"],
        *["[::]", "[::1]", "[0:0:0:0:0:0:0:1]", "[::127.0.0.1]", "[::ffff:127.0.0.1]"],
        *["[::ffff:7f00:1]", "[64:ff9b::10.0.0.1]", "[2002:7f00:1::]", "[fe80::1]", "[fec0::1]"],
        *["[fd00:ec2::254]", "[ff02::1]", "[2001:db8::1]", "[fe80::1%25eth0]", "[fe80::1%eth0]"],
        *["%31%32%37.0.0.1", "%6Cocalhost", "%EF%BD%8Cocalhost", "127%2E1", "0%78%37f.1"],
        *["[2606:4700::1111%25eth0]", "[::ffff:8.8.8.8%1]"],
    ],
)
def test_private_hosts_are_blocked(host: str) -> None:
    with pytest.raises(BlockedAddress):
        target_of(f"http://{host}/")
    with pytest.raises(BlockedRedirect):
        join_target(PLACE, f"//{host}/")


def test_names_like_private_ones_are_resolved() -> None:
    for host in ("localhost.example.org", "mylocalhost", "local.example", "127.0.0.1.example.org"):
        assert target_of(f"http://{host}/").host == host


@pytest.mark.parametrize("port", [22, 25, 6379, 5432, 9000, 65_535])
def test_other_ports_are_blocked(port: int) -> None:
    with pytest.raises(BlockedAddress, match=f"port {port} of example.org"):
        target_of(f"http://example.org:{port}/")


def test_ports_can_be_configured(settings: Any) -> None:
    settings.REMOTE_PORTS = [8000]

    assert target_of("http://example.org:8000/").port == 8000
    with pytest.raises(BlockedAddress):
        target_of("http://example.org/")


@THE_SAME_EACH_TIME
@example("http://[fe80::1%25eth0]/")
@example("http://①②⑦.0.0.1:443")
@given(LINKS)
def test_any_text_is_a_public_looking_host_or_refused(text: str) -> None:
    try:
        target = target_of(text)
    except (BadUrl, BlockedAddress):
        return

    assert looks_public(target.host)
    assert target.path.isascii()
    assert target.path.startswith("/")
    assert not set(" \r\n\t#\\") & set(target.origin + target.path)
    assert target_of(target.origin + target.path) == target  # parsed again, it is the same


@THE_SAME_EACH_TIME
@given(LINKS | st.text(st.characters(max_codepoint=255)))
def test_any_location_is_a_public_looking_host_or_a_blocked_redirect(location: str) -> None:
    try:
        target = join_target(PLACE, location)
    except BlockedRedirect:
        return

    assert looks_public(target.host)
    assert target.path.isascii()


@THE_SAME_EACH_TIME
@given(st.text("0123456789abcdefx.", min_size=1, max_size=20))
def test_addresses_of_the_c_library_are_never_names(host: str) -> None:
    try:
        meant = socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return

    try:
        assert target_of(f"http://{host}/").host == meant
    except BlockedAddress:
        assert not is_public_address(ip_address(meant))


def looks_public(host: str) -> bool:
    try:
        return is_public_address(ip_address(host))
    except ValueError:
        return host.rpartition(".")[2] not in ("localhost", "local", "internal")


def test_texts_of_a_target_have_no_path() -> None:
    target = target_of("https://example.org:8443/secret?token=secret")

    assert str(target) == f"{target}" == "https://example.org:8443"
    assert "secret" not in repr(target)


@pytest.mark.parametrize(
    ("location", "origin", "path"),
    [
        ("/x", "https://example.org", "/x"),
        ("x", "https://example.org", "/a/x"),
        ("../x?y", "https://example.org", "/x?y"),
        ("?y", "https://example.org", "/a/b?y"),
        ("#part", "https://example.org", "/a/b?c=d"),
        ("", "https://example.org", "/a/b?c=d"),
        ("?", "https://example.org", "/a/b?"),
        ("./x", "https://example.org", "/a/x"),
        (".", "https://example.org", "/a/"),
        ("..", "https://example.org", "/"),
        ("../../../x", "https://example.org", "/x"),
        ("/x/./y/../z", "https://example.org", "/x/z"),
        ("/x/%2e%2E/y", "https://example.org", "/y"),
        ("/x//../y", "https://example.org", "/x/y"),
        ("/x/..", "https://example.org", "/"),
        ("/x?y=/../z", "https://example.org", "/x?y=/../z"),
        ("https://other.example/a/../x", "https://other.example", "/x"),
        ("https://other.example?x", "https://other.example", "/?x"),
        ("HTTPS://Other.example:443/x#y", "https://other.example", "/x"),
        ("/x:y", "https://example.org", "/x:y"),
        ("/http://other.example/x", "https://example.org", "/http://other.example/x"),
        ("?u=http://other.example/../x", "https://example.org", "/a/b?u=http://other.example/../x"),
        ("//other.example/x", "https://other.example", "/x"),
        ("http://other.example:8080", "http://other.example:8080", "/"),
        ("/a file.pdf ", "https://example.org", "/a%20file.pdf"),
        ("/ü.pdf".encode().decode("latin-1"), "https://example.org", "/%C3%BC.pdf"),
        ("/%C3%BC.pdf", "https://example.org", "/%C3%BC.pdf"),
        ("/\xfc.pdf", "https://example.org", "/%FC.pdf"),  # a byte that is not UTF-8
        ("/日.pdf", "https://example.org", "/%E6%97%A5.pdf"),
        ("/a\u202fb.png".encode().decode("latin-1"), "https://example.org", "/a%E2%80%AFb.png"),
        ("/a?b=c\\d", "https://example.org", "/a?b=c%5Cd"),
        ("//b%C3%BCcher.example/x", "https://xn--bcher-kva.example", "/x"),
        (
            "http://bücher.example/ü".encode().decode("latin-1"),
            "http://xn--bcher-kva.example",
            "/%C3%BC",
        ),
        ("/" + "a" * 7_000, "https://example.org", "/" + "a" * 7_000),
    ],
)
def test_redirect_locations_are_resolved(location: str, origin: str, path: str) -> None:
    target = join_target(PLACE, location)

    assert (target.origin, target.path) == (origin, path)


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1/",
        "//127.1/",
        "http://[::1]/",
        "//localhost/",
        "//example.org:22/",
        "file:///etc/passwd",
        "mailto:a@example.org",
        "//user@example.org/",
        "//[::1",
        "//①②⑦.0.0.1/".encode().decode("latin-1"),
        "http:///x",
        "http:///example.org/x",
        "https:///example.org/x",
        "https:///x",
        "///example.org/x",
        "//",
        "http://",
        "https://?x",
        "https:x",
        "https:/x",
        "https:",
        "https:?x",
        "http://:80/x",
        "https://example.org:443:443/x",
        "ht\u00adtps://example.org/",
        "x:y/z",
        "\\\\127.0.0.1\\",
        "/\\127.0.0.1/",
        "/a\r\nHost: x",
        "\t//127.0.0.1/",
        "//exa\tmple.org/",
        "//ex ample.org/",
        "/" + "a" * 8_000,
    ],
)
def test_a_forbidden_redirect_is_blocked_and_names_its_server(location: str) -> None:
    with pytest.raises(BlockedRedirect, match=r"^example\.org redirected to") as blocked:
        join_target(PLACE, location)

    assert "127" not in str(blocked.value)


class Resolver:
    """Returns its answers in order, and then the last one again and again."""

    def __init__(self) -> None:
        self.answers: list[list[str]] = []
        self.asked: list[tuple[str, int]] = []

    def __call__(self, host: str, port: int, *args: Any, **kwargs: Any) -> list[Any]:
        self.asked.append((host, port))
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (text, port, 0, 0))
            if ":" in text
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, port))
            for text in found
        ]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    return resolver


def test_addresses_are_the_checked_ones_in_the_resolvers_order(resolver: Resolver) -> None:
    resolver.answers = [["2606:4700::1", "8.8.8.8", "1.1.1.1", "8.8.8.8"], ["127.0.0.1"]]

    found = target_addresses(PLACE)

    assert found == ["2606:4700::1", "8.8.8.8", "1.1.1.1"]
    assert resolver.asked == [("example.org", 443)]  # resolved once: a second one does not matter


@pytest.mark.parametrize(
    "answer",
    [
        ["127.0.0.1"],
        ["8.8.8.8", "10.0.0.1"],
        ["10.0.0.1", "8.8.8.8"],
        ["8.8.8.8", "::1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::10.0.0.1"],
        ["fe80::1%eth0"],
        ["169.254.169.254"],
        ["0.0.0.0"],
    ],
)
def test_one_private_address_blocks_all_and_looks_like_none(
    resolver: Resolver, answer: list[str]
) -> None:
    resolver.answers = [answer]

    with pytest.raises(RemoteUnavailable) as blocked:
        target_addresses(PLACE)

    assert str(blocked.value) == NOT_FOUND


@pytest.mark.parametrize("error", [socket.gaierror(-2, "x"), TimeoutError()])
def test_a_name_without_address_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def fails(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    with pytest.raises(RemoteUnavailable) as unknown:
        target_addresses(PLACE)
    assert str(unknown.value) == NOT_FOUND, "as for a name of a private network"

    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: [])
    with pytest.raises(RemoteUnavailable) as empty:
        target_addresses(PLACE)
    assert str(empty.value) == NOT_FOUND


def test_the_real_resolver_returns_an_address() -> None:
    assert target_addresses(target_of("http://8.8.8.8/")) == ["8.8.8.8"]
    assert target_addresses(target_of("http://[2606:4700::1111]/")) == ["2606:4700::1111"]


def test_an_allowed_name_has_any_port_and_any_address(settings: Any, resolver: Resolver) -> None:
    settings.REMOTE_ALLOWED_PRIVATE_HOSTS = ["Minio", "localhost", "bücher.local."]
    resolver.answers = [["127.0.0.1", "fe80::1%eth0"]]

    for url in ("http://minio:9000/a", "http://LOCALHOST:22", "http://xn--bcher-kva.local:1"):
        assert target_addresses(target_of(url)) == ["127.0.0.1", "fe80::1%eth0"]

    assert join_target(PLACE, "//minio:9000/x").host == "minio"
    for url in ("http://a.localhost/", "http://127.0.0.1/", "http://example.org:9000/"):
        with pytest.raises(BlockedAddress):
            target_of(url)


def test_an_address_in_an_allowed_network_has_any_port(settings: Any) -> None:
    settings.REMOTE_ALLOWED_PRIVATE_HOSTS = ["10.0.0.0/8", "127.0.0.1", "fd00::/8", "fe80::/10"]

    for host in ("10.1.2.3", "0x7f.1", "[::ffff:10.0.0.1]", "[fd00::1]", "[fe80::1]"):
        target = target_of(f"http://{host}:22/")
        assert [ip_address(each) for each in target_addresses(target)] == [ip_address(target.host)]

    for host in ("127.0.0.2", "192.168.0.1", "[::1]", "[fe80::1%25eth0]", "localhost"):
        with pytest.raises(BlockedAddress):
            target_of(f"http://{host}/")


def test_a_name_may_lead_into_an_allowed_network_at_the_usual_ports(
    settings: Any, resolver: Resolver
) -> None:
    settings.REMOTE_ALLOWED_PRIVATE_HOSTS = ["10.0.0.0/8"]
    resolver.answers = [["10.0.0.1", "8.8.8.8"], ["10.0.0.1", "192.168.0.1"]]

    assert target_addresses(target_of("http://example.org/")) == ["10.0.0.1", "8.8.8.8"]
    with pytest.raises(RemoteUnavailable):
        target_addresses(target_of("http://example.org/"))
    with pytest.raises(BlockedAddress):
        target_of("http://example.org:22/")
