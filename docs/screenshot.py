"""The picture of the page in the README: the demo song through an intent, in a browser without a window.

    python docs/screenshot.py            render, open the page at 1280 pixels, save docs/report.png
    python docs/screenshot.py --keep     also leave the page itself in demo/, to be clicked through

Needs chromium and the packages of [dev].
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "report.png"
SONG = ROOT / "daiw_master" / "demo" / "the_last_ferry.mid"
WIDTH, HEIGHT, MOST_BYTES = 1280, 1900, 300_000
INTENT = ROOT / "examples" / "the_last_ferry.yaml"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--keep", action="store_true", help="leave the page in demo/")
    keep = parser.parse_args(arguments).keep
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("no chromium here: apt-get install chromium")

    import daiw_master
    from daiw_master.report.html import html_report

    made = daiw_master.render(SONG, intent=INTENT)
    page = html_report(made.report, made.before, made.audio, master_file="the_last_ferry-master.wav")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "the_last_ferry.report.html"
        path.write_text(page, encoding="utf-8")
        shot(path, browser)
        if keep:
            (ROOT / "demo").mkdir(exist_ok=True)
            shutil.copy(path, ROOT / "demo")
    size = PICTURE.stat().st_size
    print(f"{PICTURE.relative_to(ROOT)}: {size / 1000:.0f} kB")
    return 0 if size <= MOST_BYTES else 1


def shot(path: Path, browser: str) -> None:
    """The top of the page as a desktop reader sees it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        view = chromium.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        view.goto(path.as_uri())
        view.screenshot(path=PICTURE)
        chromium.close()


if __name__ == "__main__":
    sys.exit(main())
