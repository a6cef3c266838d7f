"""The page as text: everything of the report is in it, nothing else gets in, and it stands alone."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import re
from urllib.parse import unquote

import pytest
import torch

from daiw_master.audio import Audio
from daiw_master.report.digits import brief, clock, fitting, printed, signed
from daiw_master.report.html import html_report
from daiw_master.report.model import IntentLine, MoveRow, Report
from daiw_master.report.names import spoken
from tests.report.conftest import RATE, report_of
from tests.signals import music, noise

EMPTY_TAGS = {"meta", "input", "br", "link", "img"}


class Reader(html.parser.HTMLParser):
    """A page as (tag, attributes) and its text; unbalanced tags are an error."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.code: dict[str, str] = {}
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, f"left open: {self._open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in EMPTY_TAGS:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open and self._open[-1] == tag, f"</{tag}> closes {self._open[-3:]}"
        self._open.pop()

    def handle_data(self, data):
        if self._open and self._open[-1] in ("script", "style"):
            self.code[self._open[-1]] = self.code.get(self._open[-1], "") + data
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]

    def values(self, attribute: str) -> list[str]:
        return [attrs[attribute] for _, attrs in self.tags if attribute in attrs]


@pytest.fixture(scope="module")
def page(page_text) -> Reader:
    return Reader(page_text)


def short_song(seconds: float = 4.0, **changes) -> tuple[Report, Audio, Audio]:
    audio = Audio(music(seconds)[0].float(), RATE)
    return report_of(audio, audio, **changes), audio, audio


def page_of(report: Report, before: Audio, after: Audio, name: str = "song.wav") -> Reader:
    return Reader(html_report(report, before, after, master_file=name))


def test_the_composer_speaks_first(page, song):
    text = page.text
    places = [text.index(line.text) for line in song.report.intent]
    assert places == sorted(places)
    assert text.index("a lamp left on for nobody") < places[0]
    assert places[-1] < text.index("LUFS") < text.index("Asked, before, after")


def test_every_row_is_there_with_its_reason(page, song):
    text = page.text
    for row in song.report.targets:
        assert f"why {row.target}" in text
        assert signed(row.after, 2 if row.target == "true_peak_dbtp" else 1, plus="") in text
    assert "held back: half of it: no room" in text
    assert len([row for row in page.all("tr") if row.get("class") in ("met", "missed")]) == len(
        song.report.targets
    )


def test_chain_limits_notes_log_and_versions_are_there(page):
    text = page.text
    for words in (
        "tilt", "0.75 dB", "1 more at rest", "at rest", "−1 dBTP", "net EQ in any band", "lifted",
        "falling apart is the point", "flat was asked", "the last bar is shorter", "step 1", "python 3.11.7",
        "fog takes the far shore", "nobody closes the lid", "−1.5 dB", "intensity 1.5",
    ):  # fmt: skip
        assert words in text, words


def test_the_verdict_counts_and_names(page):
    text = page.text
    assert "15 of 16 targets met; missed: crest." in text or "16 of 17 targets met; missed: crest." in text
    assert "lifted on purpose: gain on the side" in text


def test_charts_say_in_words_what_they_draw(page):
    drawn = [svg for svg in page.all("svg") if svg.get("role") == "img"]
    assert len(drawn) == 6
    said = " ".join(svg["aria-label"] for svg in drawn)
    for words in (
        "Tone",
        "Side against mid",
        "Loudness over time",
        "Automation",
        "Correlation",
        "limiter at most",
    ):
        assert words in said
    assert "nan" not in " ".join(page.values("d")).lower()


def test_it_stands_alone(page, page_text):
    """No network, no style attributes, and a policy that knows style and script by their hashes."""
    for name in ("src", "href", "action", "poster", "data", "srcset"):
        for value in page.values(name):
            assert value.startswith(("data:audio/mpeg;base64,", "./")), value[:60]
    assert not page.values("style")
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert len(page.all("script")) == len(page.all("style")) == 1
    assert "@import" not in page.code["style"] and "url(" not in page.code["style"]
    policy = next(meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'")
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.code[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert len(page_text) < 6_000_000
    assert not set(re.findall(r"https?://[^\s\"']+", page_text))


def test_it_reads_and_plays_without_javascript(page):
    deck = next(attrs for _, attrs in page.tags if attrs.get("id") == "deck")
    files = next(attrs for _, attrs in page.tags if attrs.get("id") == "files")
    assert "hidden" in deck and "hidden" not in files
    assert len(page.all("audio")) == 6 and all("controls" in audio for audio in page.all("audio"))
    assert len(set(page.values("aria-label"))) == len(page.values("aria-label"))
    assert len(set(page.values("id"))) == len(page.values("id"))


H = HOSTILE = "</script></style>\"'><img src=x onerror=alert(1)>{{ 7*7 }}{% raw %}&amp;\x00🎹"


def test_nothing_that_is_said_becomes_code():
    report, before, after = short_song(
        source=HOSTILE, emotion=HOSTILE, about=HOSTILE, notes=[HOSTILE],
        intent=[IntentLine(field=HOSTILE, text=HOSTILE)],
        moves=[MoveRow(kind="switch", what=H, value=H, why=H, source=H, word=H)],
        sections=[{"name": HOSTILE, "start_s": 0.0, "end_s": 4.0}],
        lifted={HOSTILE: HOSTILE}, silenced={HOSTILE: HOSTILE}, chain=["eq", HOSTILE],
        versions={"daiw-master": HOSTILE, HOSTILE: HOSTILE}, soundfont=f"/fonts/{HOSTILE}",
    )  # fmt: skip
    report.targets[0].why = report.targets[0].cut = report.settings[0].set_by = report.guards[0].about = (
        HOSTILE
    )
    page = page_of(report, before, after, HOSTILE)
    assert not page.all("img") and len(page.all("script")) == len(page.all("style")) == 1
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert page.text.count("onerror=alert(1)>{{ 7*7 }}") >= 12
    assert "49" not in page.all("title")


@pytest.mark.parametrize(
    "name",
    ["a b#1?.wav", "javascript:alert(1)", "//example.org/x.wav", "100%.wav", "ö/🎹.wav", "c:\\song.wav"],
)
def test_links_lead_to_the_file_beside_the_page(name):
    report, before, after = short_song()
    (link,) = page_of(report, before, after, name).values("href")
    assert link.startswith("./")
    assert unquote(link[2:]) == name.replace("\\", "/")
    assert not set(link[2:]) & set("#?:\" '<>")


def test_without_file_names_there_are_no_links(song):
    page = Reader(html_report(song.report, song.before, song.after))
    assert not page.all("a") and "The whole song" not in page.text


def test_the_same_report_gives_the_same_page(song, page_text):
    assert song.page() == page_text


def test_a_bypass_shows_itself_and_compares_nothing():
    report, audio, _ = short_song(chain=[], targets=[], curves=[], guards=[], settings=[], moves=[], log=[])
    page = page_of(report, audio, audio)
    assert "Bypassed: the input as it came." in page.text
    assert not page.all("table") and not page.all("audio")


@pytest.mark.parametrize(
    "x",
    [music(2.0)[:, :1], 0 * noise(1.0), noise(0.3), torch.zeros(1, 2, 1)],
    ids=["mono", "silence", "a moment", "one sample"],
)
def test_odd_sounds_have_a_page(x):
    audio = Audio(x[0].float(), RATE)
    page = page_of(report_of(audio, audio), audio, audio)
    assert "Tone" in page.text
    assert "nan" not in " ".join(page.values("d"))
    stereo = [svg for svg in page.all("svg") if "Side against mid" in (svg.get("aria-label") or "")]
    assert len(stereo) == (x.shape[1] == 2)


@pytest.mark.parametrize(
    "changes",
    [
        {"sections": []},
        {
            "sections": [
                {"name": f"part {i} of many", "start_s": i / 20, "end_s": i / 20 + 0.05} for i in range(80)
            ]
        },
        {"sections": [{"name": "beyond", "start_s": 3.0, "end_s": 900.0}]},
        {
            "reduction": None,
            "automation": None,
            "intent": [],
            "moves": [],
            "notes": [],
            "log": [],
            "about": "",
        },
    ],
    ids=["no sections", "many sections", "beyond the end", "nothing more"],
)
def test_odd_reports_have_a_page(changes):
    page = page_of(*short_song(**changes))
    assert "Asked, before, after" in page.text
    for x in page.values("x"):
        assert -1 <= float(x.rstrip("%")) <= 101


def test_reports_of_before_still_load(song):
    """A file written before the page existed has none of its fields."""
    old = song.report.model_dump(exclude={"intent", "moves", "lifted", "silenced", "reduction", "automation"})
    for curve in old["curves"]:
        del curve["width_db"], curve["correlation"]
    page = page_of(Report.model_validate(old), song.before, song.after)
    assert "Limiter and compressor had nothing to take away" in page.text
    assert "Correlation" not in page.text


def test_no_reason_is_lost_when_an_effect_stands_twice():
    report, before, after = short_song(chain=["eq", "eq_2"])
    report.settings[0].setting = "eq_2.tilt_db"
    assert page_of(report, before, after).text.count("tone: high-pass, shelves") == 2


@pytest.mark.parametrize(
    ("what", "unit", "said"),
    [
        ("width_low_mid_db", "dB", "width of the low mids"),
        ("onset_db", "dB", "attacks"),
        ("dynamics.release_ms", "ms", "dynamics release"),
        ("reverb.width", "", "reverb width"),
        ("lead.gain_db", "dB", "lead gain"),
    ],
)
def test_names_as_they_are_spoken(what, unit, said):
    assert spoken(what, unit) == said


def test_figures_as_they_are_read():
    assert [brief(v) for v in (0.1, 3.0, -0.004, 1.79, -20.34, 4500.0, 250)] == [
        "0.1", "3", "0", "1.79", "−20.3", "4500", "250",
    ]  # fmt: skip
    assert printed("-4.5 dB of A-1, 3-4 (-2)") == "−4.5 dB of A-1, 3-4 (−2)"
    assert [clock(s) for s in (0, 59.6, 61, 3599)] == ["0:00", "1:00", "1:01", "59:59"]
    assert [fitting("Verse: first light", room) for room in (30, 6, 4, 2)] == [
        "Verse: first light", "Verse", "Ver…", "",
    ]  # fmt: skip
