"""Exports `dag.png` and `dag_stage.png`, pipelines as Kedro-Viz draws them: `python docs/images/draw_dag.py`.

Needs Chromium or Chrome, as the tests of the report do. By hand: `make dag`, hide the datasets, Export, Download PNG.
"""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).parent
PROJECT = FOLDER.parents[1]
BROWSER = os.environ.get("AE_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")
LOOK = """localStorage.setItem("KedroViz", JSON.stringify({
    theme: "light", showFeatureHints: false, visible: {sidebar: false, miniMap: false}, layer: {visible: false}}))"""
MARGIN = 16  # pixels around the graph
BOX = ".pipeline-node"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing of requests."""


@contextmanager
def built() -> Iterator[str]:
    """The address of Kedro-Viz without a server of its own: `kedro viz build`, whose folder any server can show."""
    command = [sys.executable, "-m", "kedro", "viz", "build"]
    subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=PROJECT / "build")) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def open_graph(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_selector(BOX)
    page.wait_for_timeout(2000)  # the graph moves into its place


def stages(page: Page, address: str) -> None:
    """The stages of train, without datasets."""
    open_graph(page, f"{address}/?pid=train&types=task")


def one_stage(page: Page, address: str) -> None:
    """What is in the stage cluster: its controls stay in a closed box."""
    open_graph(page, f"{address}/?pid=cluster")
    page.locator(BOX, has_text="cluster").first.click()
    page.wait_for_timeout(2000)


def export(page: Page, picture: Path) -> None:
    """The graph in the size in which it is drawn, on white; 64 colours need a quarter of the bytes."""
    page.get_by_label("Export graph as SVG or PNG").click()
    with page.expect_download() as download:
        page.get_by_text("Download PNG").click()
    with Image.open(download.value.path()) as whole:
        drawn = whole.crop(whole.getchannel("A").getbbox())
    white = Image.new("RGB", (drawn.width + 2 * MARGIN, drawn.height + 2 * MARGIN), "white")
    white.paste(drawn, (MARGIN, MARGIN), drawn)
    white.quantize(64).save(picture, optimize=True)


if __name__ == "__main__":
    with built() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-quic"])
        page = browser.new_page(viewport={"width": 1300, "height": 850})
        page.add_init_script(LOOK)
        stages(page, address)
        export(page, FOLDER / "dag.png")
        one_stage(page, address)
        export(page, FOLDER / "dag_stage.png")
        browser.close()
