"""Headless Chromium for tests, driven over its DevTools socket: open, look, click, photograph. Chromium is all it needs.

https://chromedevtools.github.io/devtools-protocol/
"""

import asyncio
import base64
import itertools
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

LAPTOP = (1366, 768)


class Page:
    """One tab. Every method returns when the browser has answered."""

    def __init__(self, loop: asyncio.AbstractEventLoop, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._loop, self._socket = loop, socket
        self._numbers = itertools.count(1)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command, return its result."""
        return self._loop.run_until_complete(asyncio.wait_for(self._call(method, parameters), 60))

    async def _call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            message = await self._socket.receive_json()
            if message.get("id") == number:
                assert "error" not in message, f"{method}: {message['error']}"
                return dict(message["result"])

    def open(self, url: str) -> None:
        """Go to the address; what the page then loads is for `wait_for`."""
        self.call("Page.navigate", url=url)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, expression: str, what: str, seconds: float = 90.0) -> None:
        """Return as soon as the expression is true; fail with `what` when the time is over."""
        deadline = time.monotonic() + seconds
        while not self.evaluate(f"(() => {{ try {{ return !!({expression}) }} catch (error) {{ return false }} }})()"):
            if time.monotonic() > deadline:
                pytest.fail(f"{what} did not hold within {seconds:g} s at {self.evaluate('location.href')}")
            time.sleep(0.2)

    def click(self, x: float, y: float, button: str = "left") -> None:
        """Move the mouse there and click, as a hand does."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, clickCount=1)

    def place_of(self, element: str) -> tuple[float, float]:
        """Centre of an element (a JavaScript expression), scrolled into view."""
        box = self.evaluate(
            f"(() => {{ const e = {element}; e.scrollIntoView({{block: 'center', behavior: 'instant'}});"
            " const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2] })()"
        )
        return box[0], box[1]

    def still_place_of(self, element: str, what: str) -> tuple[float, float]:
        """Centre of an element once it is there and has stopped moving (menus unfold)."""
        self.wait_for(f"({element}).getBoundingClientRect().width > 0", what, 20)
        places = [self.place_of(element)]
        deadline = time.monotonic() + 20
        while len(places) < 4 or len(set(places[-4:])) > 1:
            assert time.monotonic() < deadline, f"{what} keeps moving"
            time.sleep(0.15)
            places.append(self.place_of(element))
        return places[-1]

    def type_text(self, text: str) -> None:
        """Type into what has the focus."""
        self.call("Input.insertText", text=text)

    def photograph(self, file: Path, width: int, height: int) -> None:
        """Save the upper left of the page as PNG, in CSS pixels."""
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png", clip=clip)["data"]))

    def addresses(self) -> list[str]:
        """The addresses of all open tabs."""
        return [target["url"] for target in self.call("Target.getTargets")["targetInfos"] if target["type"] == "page"]

    def come_back(self) -> None:
        """Close every other tab and look at this one again: a page in the background does not draw."""
        own = self.call("Target.getTargetInfo")["targetInfo"]["targetId"]
        for target in self.call("Target.getTargets")["targetInfos"]:
            if target["type"] == "page" and target["targetId"] != own:
                self.call("Target.closeTarget", targetId=target["targetId"])
        self.call("Page.bringToFront")

    def resize(self, width: int, height: int) -> None:
        """Set the window's size in CSS pixels."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)


@contextmanager
def chromium() -> Iterator[Page]:
    """A fresh browser with one empty page."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.fail("Chromium is needed: sudo apt-get install -y chromium")
    with tempfile.TemporaryDirectory(prefix="cx-test-chromium-", ignore_cleanup_errors=True) as profile:
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-port=0"]
        options += ["--no-first-run", "--disable-extensions", "--disable-background-networking", f"--user-data-dir={profile}"]
        with subprocess.Popen(
            [program, *options, "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            loop, session = asyncio.new_event_loop(), None
            try:
                session = loop.run_until_complete(_session())
                yield loop.run_until_complete(_attach(loop, session, _endpoint(process)))
            finally:
                if session:
                    loop.run_until_complete(session.close())
                process.terminate()
                process.wait(timeout=20)
                loop.close()


def _endpoint(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        found = re.search(r"DevTools listening on ws://([^/]+)/", line)
        if found:
            return found[1]
    pytest.fail("Chromium ended before it listened")


async def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession()


async def _attach(loop: asyncio.AbstractEventLoop, session: aiohttp.ClientSession, endpoint: str) -> Page:
    async with session.get(f"http://{endpoint}/json/list") as answer:
        pages = json.loads(await answer.text())
    address = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
    page = Page(loop, await session.ws_connect(address, max_msg_size=0))
    await page._call("Page.enable", {})
    return page
