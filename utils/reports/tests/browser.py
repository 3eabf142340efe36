"""Opens a page in headless Chromium, as a user would, and tells what happened there."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 120  # of one page, on a busy machine; it takes two
CONSOLE = re.compile(r":CONSOLE[:(].*")
# What a page has fetched, besides itself, is told by the browser; a picture within the page is not fetched.
ASK = """
const told = (() => {{ {script} }})();
const fetched = performance.getEntriesByType("resource").map((each) => each.name);
const place = document.createElement("pre");
place.id = "told";
place.textContent = JSON.stringify({{told, fetched}});
document.body.append(place);
"""


@dataclass(frozen=True)
class Visit:
    """What was seen.

    Attributes:
        told: what the script returned.
        fetched: addresses that the page asked the browser to fetch.
        console: lines of the console: errors, and what the page's policy refused.
    """

    told: dict
    fetched: list[str]
    console: list[str]


def visit(page: Path, folder: Path, script: str = "return {};") -> Visit:
    """Opens a copy of a page in which a script, the body of a function, is run at its end.

    The test is skipped where there is no Chromium.
    """
    browser = next((path for name in NAMES if (path := shutil.which(name))), None)
    if browser is None:
        pytest.skip("Chromium is not here: apt-get install chromium")
    copy = folder / "visited.html"
    asking = f"<script>{ASK.format(script=script)}</script></body>"
    copy.write_text(page.read_text().replace("</body>", asking))
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    command += ["--disable-background-networking", "--enable-logging=stderr", f"--user-data-dir={folder / 'profile'}"]
    finished = subprocess.run(
        [*command, "--dump-dom", copy.as_uri()], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    found = re.search(r'<pre id="told">(.*?)</pre>', finished.stdout, re.DOTALL)
    assert found, finished.stdout[-2000:] + finished.stderr[-2000:]
    content = json.loads(unescape(found[1]))
    return Visit(content["told"], content["fetched"], CONSOLE.findall(finished.stderr))
