"""What a person sees of a dashboard: its charts by title, whether each has drawn, its numbers and rows."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.dashboards.place import VIEWER, Place
from tests.dashboards.browser import LAPTOP, Page

TALL = 3600  # charts draw when they come into the window: one as high as the longest dashboard
CHART = "[data-test-viz-type]"
STATES = f"""
[...document.querySelectorAll('{CHART}')].map(chart => ({{
    title: chart.getAttribute('data-test-chart-name'),
    failed: !!chart.querySelector('.ant-alert, [role=alert], [data-test=error-message]'),
    empty: !!chart.querySelector('.ant-empty'),
    drawn: !!chart.querySelector('canvas, tbody tr, .header-line') && !chart.querySelector('[data-test=loading-indicator]'),
    text: chart.innerText,
}}))
"""
SETTLED = f"(states => states.length === expected && states.every(s => s.drawn || s.failed || s.empty))({STATES})"


@dataclass(frozen=True)
class Chart:
    """One chart as it stands on the screen."""

    title: str
    failed: bool
    empty: bool
    drawn: bool
    text: str


class Screen:
    """A browser that is logged in to one Superset."""

    def __init__(self, page: Page, place: Place) -> None:
        self.page, self._place = page, place

    def log_in(self) -> None:
        """Type name and password, as a person does."""
        self.page.resize(*LAPTOP)
        self.page.open(f"{self._place.url}/login/")
        self.page.wait_for("document.querySelector('input[type=password]')", "the log-in form")
        for field, text in (("#username, input[name=username]", VIEWER), ("input[type=password]", self._place.viewer_password)):
            self.page.click(*self.page.place_of(f"document.querySelector('{field}')"))
            self.page.type_text(text)
        self.page.click(*self.page.place_of("document.querySelector('button[type=submit], input[type=submit]')"))
        self.page.wait_for("!location.pathname.startsWith('/login')", "being logged in")

    def open(self, slug: str, charts: int) -> list[Chart]:
        """Open a dashboard and return its charts when each has drawn, failed or found nothing to show."""
        self.page.resize(LAPTOP[0], TALL)
        self.page.open("about:blank")
        self.page.open(self._place.address(slug))
        self.settle(charts)
        return self.charts()

    def settle(self, charts: int) -> None:
        """Return when so many charts are there and none is still at work."""
        self.page.wait_for(SETTLED.replace("expected", str(charts)), f"{charts} charts being drawn", seconds=180)

    def charts(self) -> list[Chart]:
        return [Chart(**state) for state in self.page.evaluate(STATES)]

    def number(self, title: str) -> str:
        """What a chart of one number says; empty while it draws."""
        return str(self.page.evaluate(f"{element(title)}?.querySelector('.header-line')?.innerText ?? ''"))

    def rows(self, title: str) -> list[list[str]]:
        """The cells of a table's rows."""
        rows = f"[...({element(title)}?.querySelectorAll('tbody tr') ?? [])]"
        script = f"{rows}.map(row => [...row.querySelectorAll('td')].map(cell => cell.innerText))"
        return [list(row) for row in self.page.evaluate(script)]

    def links(self, title: str) -> list[str]:
        """Where the links of a table lead."""
        return list(self.page.evaluate(f"[...{element(title)}.querySelectorAll('tbody a')].map(a => a.href)"))

    def cell(self, title: str, text: str) -> str:
        """The JavaScript of a table's cell with this text."""
        return f"[...{element(title)}.querySelectorAll('tbody td')].find(c => c.innerText.trim() === {json.dumps(text)})"

    def shows(self, title: str) -> bool:
        """Whether the page has this chart."""
        return bool(self.page.evaluate(f"!!{element(title)}"))

    def click_within(self, title: str, across: float, down: float) -> None:
        """Click a drawn chart at a point given as parts of its width and height."""
        x, y = self.page.place_of(f"{element(title)}.querySelector('canvas')")
        size = f"(b => [b.width, b.height])({element(title)}.querySelector('canvas').getBoundingClientRect())"
        width, height = self.page.evaluate(size)
        self.page.click(x + width * (across - 0.5), y + height * (down - 0.5))

    def width(self) -> tuple[int, int]:
        """How wide the page is, and how wide the window."""
        wide: list[Any] = self.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        return wide[0], wide[1]

    def photograph(self, file: Path) -> None:
        """The whole dashboard as one picture, cut below the last chart."""
        bottom = self.page.evaluate(
            f"Math.max(...[...document.querySelectorAll('{CHART}')].map(c => c.getBoundingClientRect().bottom))"
        )
        self.page.photograph(file, LAPTOP[0], min(int(bottom) + 40, TALL))


def element(title: str) -> str:
    """The JavaScript of the chart with this title."""
    return f"[...document.querySelectorAll('{CHART}')].find(c => c.getAttribute('data-test-chart-name') === {json.dumps(title)})"
