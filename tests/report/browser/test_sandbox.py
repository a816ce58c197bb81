"""A report inside another page, in a frame that may run scripts and nothing else, as MLflow shows artifacts."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from made_report import MadeReport
from playwright.sync_api import Frame, expect

pytestmark = pytest.mark.browser

AROUND = """<!doctype html><title>artifacts</title><style>iframe { width: 1200px; height: 850px; border: 0 }</style>
<script>
fetch('report.html').then(answer => answer.text()).then(text => {
    const frame = document.createElement('iframe');
    frame.setAttribute('sandbox', 'allow-scripts');
    frame.src = URL.createObjectURL(new Blob([text], { type: 'text/html' }));
    document.body.append(frame);
});
</script>"""


class Quiet(SimpleHTTPRequestHandler):
    """Serves the report, and the page around it."""

    def do_GET(self) -> None:
        if self.path == "/report.html":
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(AROUND.encode())
        return None

    def log_message(self, format: str, *values: object) -> None:
        pass


@pytest.fixture
def address(digits_report: MadeReport) -> Iterator[str]:
    handler = partial(Quiet, directory=str(digits_report.folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


def test_in_a_sandbox_the_map_works_and_ids_can_be_copied(open_address, address, watched, digits_report: MadeReport):
    watched.served = address
    page = open_address(address, viewport={"width": 1250, "height": 900})
    frame = framed(page)
    frame.evaluate("report.map.drawn()")
    assert frame.evaluate("[self.origin, location.protocol]") == ["null", "blob:"]
    row = 42
    page.mouse.move(*frame.evaluate("row => report.map.screen(row)", row))
    expect(frame.locator(".tip .id")).to_be_visible()
    expect(frame.locator(".tip [data-drawn]")).to_be_visible()
    frame.locator("#search").fill(digits_report.ids[row])
    frame.locator("#search").press("Enter")
    assert frame.evaluate("report.selected") == [row]
    frame.evaluate("report.map.select([7, 8, 9])")
    expect(frame.get_by_role("button", name="Save ids")).to_have_count(0)
    frame.get_by_role("button", name="ids to copy").click()
    wanted = ["sample_id", *digits_report.ids[7:10]]
    assert frame.locator("textarea.ids").input_value().split() == wanted
    assert frame.evaluate("String(getSelection())").split() == wanted  # Ctrl+C takes it


def framed(page) -> Frame:
    page.frame_locator("iframe").locator("html[data-ready]").wait_for()
    (frame,) = page.main_frame.child_frames
    return frame
