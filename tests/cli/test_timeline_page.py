"""Tests of the page of `eliot timeline`, in a real browser: Chromium, without a window."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Sequence, Tuple

import pytest

from eliot._lanes import Lanes
from eliot._timeline import PageData
from eliot.cli.timeline import page as page_of
from eliot.parse import Task

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

Message = Dict[str, Any]

HOSTILE = "</script><img src=x onerror='window.hacked=1'>\"'&amp;\u2028\u202e<!--"


def started(kind: str, level: Sequence[int], time: float, **fields: Any) -> Message:
    """Make a start message."""
    what = {"action_type": kind, "action_status": "started"}
    return {"task_level": [*level, 1], "timestamp": time, **what, **fields}


def ended(kind: str, level: Sequence[int], time: float, **fields: Any) -> Message:
    """Make a finish message."""
    what = {"action_type": kind, "action_status": "succeeded"}
    return {"task_level": [*level], "timestamp": time, **what, **fields}


def message(kind: str, level: Sequence[int], time: float, **fields: Any) -> Message:
    """Make a message."""
    return {"task_level": [*level], "timestamp": time, "message_type": kind, **fields}


#: 2026-11-26 14:00 UTC.
T = 1_795_701_600

FAILURE = {
    "action_status": "failed",
    "exception": "shop.CardError",
    "reason": "no such card: 1881",
    "traceback": "Traceback (most recent call last):\n  File shop.py, line 3, in charge",
}

#: An order whose payment failed while something else was still running; the next one is fine.
ORDER: List[Message] = [
    started("order", [], T, number=17, customer="Ann"),
    message("order:received", [2], T + 1, card="1881", amount=12345678901234567890),
    started("charge", [3], T + 2, card="1881"),
    ended("charge", [3, 2], T + 5, **FAILURE),
    started("reserve", [4], T + 3, what="soup"),
    ended("reserve", [4, 2], T + 8, left=3),
    started("poll", [5], T + 4),
    message("order:lost", [7], T + 9, log_level="error"),
    ended("order", [8], T + 10),
]
NEXT: List[Message] = [
    started("order", [], T + 12, number=18, customer="Bob"),
    started("charge", [2], T + 13, card="4242"),
    ended("charge", [2, 2], T + 14),
    ended("order", [3], T + 16),
]


def lanes_of(uuid: str, messages: Sequence[Message]) -> Lanes:
    """Arrange the messages of a task."""
    task = Task()
    for each in messages:
        task = task.add({"task_uuid": uuid, **each})
    return Lanes(task.top())


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Start Chromium, once; it uses a loop of asyncio, which other tests must not meet."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium")
    with sync_api.sync_playwright() as playwright:
        # Without its sandbox it runs in containers, too.
        options = ["--no-sandbox", "--disable-gpu"]
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield running.new_context(viewport={"width": 1400, "height": 800})
        running.close()


@pytest.fixture(scope="module")
def window(browser: Any) -> Any:
    """Open the window that most tests use, one after the other."""
    page = browser.new_page()
    page.set_default_timeout(10_000)
    return page


Open = Callable[..., Any]


@pytest.fixture
def open_page(window: Any, tmp_path: Path) -> Iterator[Open]:
    """Open pages from the disk; they report no error, and ask for nothing but themselves."""
    troubles: List[str] = []
    requests: List[str] = []
    path = tmp_path / "page.html"
    listeners = {
        "console": lambda said: troubles.append(said.text),
        "pageerror": lambda error: troubles.append(str(error)),
        "dialog": lambda dialog: troubles.append(dialog.message),
        "request": lambda request: requests.append(request.url),
    }

    def opened(*tasks: Tuple[str, List[Message]], page: Any = window, scheme: str = "light") -> Any:
        data = PageData()
        for uuid, messages in tasks or (("order-17", ORDER), ("order-18", NEXT)):
            data.add(lanes_of(uuid, messages))
        path.write_text(page_of(data, "shop.log"), encoding="utf-8")
        for event, listener in listeners.items():
            page.on(event, listener)
        page.emulate_media(color_scheme=scheme)
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-state]")
        return page

    yield opened

    for event, listener in listeners.items():
        window.remove_listener(event, listener)
    # What the tests themselves do is slower than it could be.
    assert [] == [trouble for trouble in troubles if "getImageData" not in trouble]
    assert {path.as_uri()} == {*requests}


def state(page: Any) -> Dict[str, Any]:
    """Ask the page what it shows."""
    found: Dict[str, Any] = page.evaluate("timeline.state()")
    return found


def chosen(page: Any) -> Any:
    """Ask the page which entry is selected."""
    return state(page)["chosen"]


def click(page: Any, level: str, **options: Any) -> None:
    """Click an entry in the timeline."""
    spot = page.evaluate("level => timeline.spot(level)", level)
    page.mouse.click(spot["x"], spot["y"], **options)


def pixels(page: Any, level: str) -> List[int]:
    """Ask for the colour of an entry: red, green and blue."""
    colour: List[int] = page.evaluate(
        """level => {
            timeline.draw();
            const spot = timeline.spot(level), canvas = document.getElementById("canvas");
            const box = canvas.getBoundingClientRect(), ratio = devicePixelRatio;
            const x = (spot.x - box.left) * ratio, y = (spot.y - box.top - 1) * ratio;
            return [...canvas.getContext("2d").getImageData(x, y, 1, 1).data].slice(0, 3);
        }""",
        level,
    )
    return colour


def cells(page: Any, box: str, column: int) -> List[str]:
    """List the texts of a column of a table."""
    found: List[str] = page.locator(
        f"{box} tr[aria-rowindex] td:nth-child({column})"
    ).all_text_contents()
    return found


class TestLooking:
    """What is seen at first."""

    def test_tasks(self, open_page: Open) -> None:
        """The tasks are listed with what became of them; the first one is open."""
        page = open_page()

        assert "shop.log" == page.title()
        assert ["✓", "✓"] == cells(page, "#tasks", 1)
        assert ["order", "order"] == cells(page, "#tasks", 2)
        assert ["14:00:00.000", "14:00:12.000"] == cells(page, "#tasks", 3)
        assert ["10 s", "4 s"] == cells(page, "#tasks", 4)
        assert ["4", "2"] == cells(page, "#tasks", 5)
        assert ["✗ 1", ""] == cells(page, "#tasks", 6)
        assert ("order-17", "/") == (state(page)["task"], chosen(page))

    def test_sorts(self, open_page: Open) -> None:
        """A click on the head of a column sorts by it, another one the other way round."""
        page = open_page()
        head = page.get_by_role("button", name="Duration")
        head.click()
        longest = cells(page, "#tasks", 4)
        head.click()

        assert [["10 s", "4 s"], ["4 s", "10 s"]] == [longest, cells(page, "#tasks", 4)]
        expect(page.locator("#tasks th[aria-sort=ascending]")).to_have_text("Duration ▴")
        for name in ("?", "Task", "Start", "Actions", "Failed"):
            page.locator("#tasks thead").get_by_text(name, exact=False).first.click()
            assert 1 == page.locator("#tasks th:not([aria-sort=none])").count()

    def test_failures_are_seen(self, open_page: Open) -> None:
        """A failure has another colour than the same action where it succeeded."""
        page = open_page()
        failed = pixels(page, "/3")
        page.keyboard.press("]")

        assert failed[0] > 150 > failed[1]
        assert "order-18" == state(page)["task"]
        assert failed != pixels(page, "/2")

    def test_rows(self, open_page: Open) -> None:
        """Actions that overlap have rows of their own."""
        page = open_page()
        spots = [page.evaluate("level => timeline.spot(level).y", f"/{i}") for i in (3, 4, 5)]

        assert 3 == len({*spots})
        assert 4 == state(page)["rows"]

    def test_old_browser(self, browser: Any, open_page: Open) -> None:
        """A browser that cannot show the page says so."""
        page = browser.new_page()
        page.add_init_script("delete window.DecompressionStream")
        open_page(page=page)

        expect(page.locator("#stage")).to_contain_text("This browser cannot show the page")
        page.close()


class TestDetails:
    """What is told of an entry that was clicked."""

    def test_failure(self, open_page: Open) -> None:
        """Fields, exception, reason and traceback of a failed action are there."""
        page = open_page()
        click(page, "/3")
        details = page.locator("#details")

        assert "/3" == chosen(page)
        expect(details.locator("h2")).to_have_text("charge")
        expect(details).to_contain_text("✗ failed")
        expect(details).to_contain_text("shop.CardError")
        expect(details).to_contain_text("no such card: 1881")
        expect(details.locator("pre", has_text="Traceback")).to_have_text(FAILURE["traceback"])
        expect(details).to_contain_text("2026-11-26 14:00:02.000000 UTC")
        expect(details).to_contain_text("30.0 % of what it is in")

    def test_messages(self, open_page: Open) -> None:
        """Messages of an action are listed; a click leads to one, with its fields to the digit."""
        page = open_page()
        page.locator("#details").get_by_role("button", name="order:received").click()

        assert "/2" == chosen(page)
        expect(page.locator("#details dl").nth(1)).to_contain_text("12345678901234567890")
        page.locator("#details").get_by_role("button", name="order number=17").click()
        assert "/" == chosen(page)

    def test_marks(self, open_page: Open) -> None:
        """A message can be clicked in the timeline."""
        page = open_page()
        spot = page.evaluate("timeline.spot('/2')")
        page.mouse.click(spot["x"], spot["y"] + 9)

        assert "/2" == chosen(page)

    def test_never_ended(self, open_page: Open) -> None:
        """An action that never ended lasts until the end of the log, and says so."""
        page = open_page()
        click(page, "/5")

        expect(page.locator("#details")).to_contain_text("still running when the log ended")
        assert 16_000_000 == state(page)["total"]
        assert state(page)["to"] < 12_000_000

    def test_missing(self, open_page: Open) -> None:
        """Messages that must have been there are said to be missing."""
        page = open_page()
        page.locator("#details").get_by_role("button", name="missing").click()

        assert "/6" == chosen(page)
        expect(page.locator("#details")).to_contain_text("that are not in the log")

    def test_pointing(self, open_page: Open) -> None:
        """Pointing at an action tells what it is; pointing at nothing tells nothing."""
        page = open_page()
        spot = page.evaluate("timeline.spot('/4')")
        page.mouse.move(spot["x"], spot["y"])

        expect(page.locator("#tip")).to_have_text("✓ reserve /4, succeeded, 5 s")
        page.mouse.move(spot["x"], spot["y"] + 300)
        expect(page.locator("#tip")).to_be_hidden()
        page.mouse.click(spot["x"], spot["y"] + 300)
        expect(page.locator("#details")).to_contain_text("Nothing is selected")


class TestSearch:
    """Search by type and by what is in fields."""

    def test_next_and_previous(self, open_page: Open) -> None:
        """The matches of all tasks come one after the other, and then again."""
        page = open_page()
        page.keyboard.press("/")
        page.keyboard.type("CHARGE")
        found = page.locator("#found")
        expect(found).to_have_text("2 found")
        seen = []
        for key in ("Enter", "Enter", "Enter", "Shift+Enter"):
            page.keyboard.press(key)
            seen.append((state(page)["task"], chosen(page), found.text_content()))
        page.keyboard.press("Escape")
        for key in ("n", "Shift+N"):
            page.keyboard.press(key)
            seen.append((state(page)["task"], chosen(page), found.text_content()))

        first, second = ("order-17", "/3", "1 of 2"), ("order-18", "/2", "2 of 2")
        assert [first, second, first, second, first, second] == seen

    def test_fields(self, open_page: Open) -> None:
        """Each word has to be in the type or in the fields; the uuid of a task counts, too."""
        page = open_page()
        found = page.locator("#found")
        for query, expected in (
            ("charge 4242", "1 found"),
            ("4242 1881", "none"),
            ("order-18", "1 found"),
            ("no such card", "1 found"),
            ("", ""),
        ):
            page.fill("#query", query)
            expect(found).to_have_text(expected)

    def test_at_once(self, open_page: Open) -> None:
        """Who is in a hurry need not wait."""
        page = open_page()
        page.locator("#query").focus()
        page.keyboard.type("reserve")
        page.keyboard.press("Enter")

        assert "/4" == chosen(page)

    def test_buttons(self, open_page: Open) -> None:
        """What keys do, buttons do."""
        page = open_page()
        page.fill("#query", "order")
        page.get_by_role("button", name="Next match").click()
        page.get_by_role("button", name="Next match").click()
        after = chosen(page)
        page.get_by_role("button", name="Previous match").click()
        before = chosen(page)
        page.get_by_role("button", name="Next failure").click()

        assert ["/2", "/", "/3"] == [after, before, chosen(page)]


class TestZoom:
    """Moving in time."""

    def test_keys(self, open_page: Open) -> None:
        """Keys zoom, move, fit the selected action, and the whole task."""
        page = open_page()
        spans = []
        for key in ("+", "-", "0", "f"):
            page.keyboard.press(key)
            at = state(page)
            spans.append(round((at["to"] - at["from"]) / 1e6, 1))
        page.keyboard.press("d")
        later = state(page)["from"]
        page.keyboard.press("a")

        assert [7.8, 11.7, 16.3, 12.0] == spans
        assert later > state(page)["from"]

    def test_wheel(self, open_page: Open) -> None:
        """With Ctrl, the wheel zooms at the mouse, which stays where it is in time; Shift moves."""
        page = open_page()
        spot = page.evaluate("timeline.spot('/3')")
        page.mouse.move(spot["x"], spot["y"])
        before = state(page)
        page.keyboard.down("Control")
        page.mouse.wheel(0, -200)
        page.keyboard.up("Control")
        expect(page.locator("#tip")).to_be_visible()
        page.wait_for_timeout(100)
        zoomed = state(page)
        page.keyboard.down("Shift")
        page.mouse.wheel(0, 100)
        page.keyboard.up("Shift")
        page.wait_for_timeout(100)

        assert zoomed["to"] - zoomed["from"] < before["to"] - before["from"]
        assert abs(page.evaluate("timeline.spot('/3').x") - spot["x"]) > 10
        assert zoomed["from"] < state(page)["from"]

    def test_dragging(self, open_page: Open) -> None:
        """The timeline can be dragged, which selects nothing; a double click zooms in."""
        page = open_page()
        spot = page.evaluate("timeline.spot('/4')")
        before = state(page)
        page.mouse.move(spot["x"], spot["y"])
        page.mouse.down()
        page.mouse.move(spot["x"] - 50, spot["y"], steps=4)
        page.mouse.up()
        moved = state(page)
        page.mouse.dblclick(spot["x"] - 50, spot["y"])

        assert (moved["from"] > before["from"], "/") == (True, moved["chosen"])
        assert ("/4", 6_000_000) == (chosen(page), state(page)["to"] - state(page)["from"])

    def test_overview(self, open_page: Open) -> None:
        """A click in the overview leads to that time."""
        page = open_page()
        page.keyboard.press("f")
        page.keyboard.press("+")
        page.keyboard.press("+")
        box = page.locator("#overview").bounding_box()
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 10)

        assert 8 == round((state(page)["from"] + state(page)["to"]) / 2e6)

    def test_buttons(self, open_page: Open) -> None:
        """What keys do, buttons do."""
        page = open_page()
        page.get_by_role("button", name="Zoom in").click()
        near = state(page)["to"]
        page.get_by_role("button", name="Zoom out").click()
        far = state(page)["to"]
        page.get_by_role("button", name="Fit").click()

        assert near < far < state(page)["to"]


class TestKeyboard:
    """All can be done without a mouse."""

    def test_around(self, open_page: Open) -> None:
        """Arrows lead to what is around; failures and tasks have keys of their own."""
        page = open_page()
        seen = []
        for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowLeft", "ArrowUp", "e", "Escape"):
            page.keyboard.press(key)
            seen.append(chosen(page))
        page.keyboard.press("]")
        task = state(page)["task"]
        page.keyboard.press("Shift+E")

        assert ["/2", "/3", "/4", "/3", "/", "/3", None] == seen
        assert ["order-18", "order-17"] == [task, state(page)["task"]]
        expect(page.locator("#status")).to_have_text("✗ charge /3, failed, 3 s")

    def test_help(self, open_page: Open) -> None:
        """The question mark shows the keys; Esc closes them."""
        page = open_page()
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_contain_text("next and previous failure")
        page.keyboard.press("Escape")

        expect(page.locator("#keys")).to_be_hidden()

    def test_focus(self, open_page: Open) -> None:
        """Tab leads through the page, and one sees where it is."""
        page = open_page()
        focused = []
        for _ in range(24):
            page.keyboard.press("Tab")
            focused.append(
                page.evaluate(
                    "[document.activeElement.id || document.activeElement.tagName, "
                    "getComputedStyle(document.activeElement).outlineStyle]"
                )
            )

        assert {"query", "failure", "view", "theme", "help", "in", "TABLE", "details"} <= {
            name for name, _ in focused
        }
        assert {"solid"} == {style for name, style in focused if name != "BODY"}

    def test_table(self, open_page: Open) -> None:
        """The task is there as a table, too, for who cannot see the picture."""
        page = open_page()
        page.keyboard.press("v")
        table = page.get_by_role("grid", name="Entries of the task")

        expect(table).to_be_focused()
        assert "8" == table.get_attribute("aria-rowcount")
        assert [
            "order",
            "order:received",
            "charge",
            "reserve",
            "poll",
            "missing",
            "order:lost",
        ] == (cells(page, "#rows", 1))
        assert ["/", "/2", "/3", "/4", "/5", "/6", "/7"] == cells(page, "#rows", 2)
        assert "✗ failed" == cells(page, "#rows", 3)[2]
        assert "card=1881" in cells(page, "#rows", 6)[2]
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        assert "/3" == chosen(page)
        selected = page.locator("#rows tr[aria-selected=true]")
        assert table.get_attribute("aria-activedescendant") == selected.get_attribute("id")
        page.locator("#rows tr[aria-rowindex='5']").click()
        assert "/4" == chosen(page)
        page.keyboard.press("v")
        expect(page.locator("#frame")).to_be_visible()


class TestTheme:
    """Dark and light."""

    @pytest.mark.parametrize(("scheme", "other"), [("light", "dark"), ("dark", "light")])
    def test_follows_and_toggles(self, open_page: Open, scheme: str, other: str) -> None:
        """The page is as the system wants it, until the key or the button says otherwise."""
        page = open_page(scheme=scheme)
        html = page.locator("html")
        expect(html).to_have_attribute("data-theme", scheme)
        before = (
            page.evaluate("getComputedStyle(document.body).backgroundColor"),
            pixels(page, "/4"),
        )
        page.keyboard.press("t")
        expect(html).to_have_attribute("data-theme", other)
        after = page.evaluate("getComputedStyle(document.body).backgroundColor"), pixels(page, "/4")
        page.locator("#theme").click()

        expect(html).to_have_attribute("data-theme", scheme)
        assert before[0] != after[0]
        assert before[1] != after[1]

    def test_system_changes(self, open_page: Open) -> None:
        """If the system turns dark, so does the page."""
        page = open_page()
        page.emulate_media(color_scheme="dark")

        expect(page.locator("html")).to_have_attribute("data-theme", "dark")


class TestHostile:
    """Whatever is logged is shown as text."""

    def test_nothing_is_executed(self, open_page: Open) -> None:
        """Neither types nor names nor values of fields nor uuids are anything but text."""
        fields = {HOSTILE: HOSTILE, "list": [HOSTILE], "__proto__": 1, "constructor": None}
        failed = {"action_status": "failed", "exception": HOSTILE, "reason": HOSTILE}
        log = [
            started(HOSTILE, [], T, **fields),
            message(HOSTILE, [2], T + 1, traceback=HOSTILE + "\n" + HOSTILE, **fields),
            ended(HOSTILE, [3], T + 2, **failed),
        ]
        page = open_page((HOSTILE, log))
        shown = HOSTILE.replace("\u2028\u202e", "\\u2028\\u202e")

        expect(page.locator("#details h2")).to_have_text(shown)
        assert 4 <= page.locator("#details").text_content().count(shown)
        expect(page.locator("#details dt", has_text="__proto__")).to_have_count(1)
        page.fill("#query", "onerror")
        expect(page.locator("#found")).to_have_text("2 found")
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        expect(page.locator("#details pre")).to_have_text(f"{shown}\n{shown}")
        page.keyboard.press("Escape")
        page.keyboard.press("v")
        assert [shown, shown] == cells(page, "#rows", 1)
        assert [0, False] == page.evaluate("[document.images.length, 'hacked' in window]")


class TestLarge:
    """Logs of any size."""

    def test_only_what_is_seen(self, open_page: Open) -> None:
        """Of thousands of tasks and rows only those in sight take part in the page."""
        deep = [started("down", [2] * depth, T + depth / 1000) for depth in range(2000)]
        lone = [(f"lone-{i}", [message("lone", [1], T + 5 + i)]) for i in range(3000)]
        page = open_page(("deep", deep), *lone)
        assert page.locator("tr[aria-rowindex]").count() < 150
        page.get_by_role("grid", name="Tasks").focus()
        page.keyboard.press("End")

        assert "lone-2999" == state(page)["task"]
        assert page.locator("tr[aria-rowindex]").count() < 150
        page.keyboard.press("Home")
        page.fill("#query", "down")
        page.keyboard.press("Shift+Enter")
        assert 1999 == chosen(page).count("/2")
        assert state(page)["top"] > 40_000
        assert pixels(page, chosen(page)) != [255, 255, 255]
