"""The watch that all reports are under sees what it is there for."""

from pathlib import Path

import pytest
from watched import Watched, wait_until

pytestmark = pytest.mark.browser

WITHOUT_POLICY = {
    "<script>console.error('broken')</script>": "console error: broken",
    "<script>console.warn('odd')</script>": "console warning: odd",
    "<script>throw new Error('thrown')</script>": "error: thrown",
    "<script>Promise.reject(new Error('nobody waits'))</script>": "error: nobody waits",
    "<img src='http://127.0.0.1:9/x.png'>": "request: http://127.0.0.1:9/x.png",
    "<script>alert('hello')</script>": "dialog: hello",
    "<script>open('about:blank#other')</script>": "window: about:blank#other",
}
POLICY = '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'">'
WITH_POLICY = {
    "<script>1</script>": "console error: content security policy: script-src-elem blocked inline",
    "<p style='color: red'>": "console error: content security policy: style-src-attr blocked inline",
    "<img src='data:image/png;base64,AA=='>": "console error: content security policy: img-src blocked data",
}


@pytest.mark.parametrize(
    ("head", "forbidden"), [("", WITHOUT_POLICY), (POLICY, WITH_POLICY)], ids=["without policy", "with policy"]
)
def test_what_no_report_may_do_is_seen(open_page, watched: Watched, tmp_path: Path, head, forbidden):
    page = open_page(written(tmp_path, head + "".join(forbidden)))

    def unseen() -> list[str]:
        return [start for start in forbidden.values() if not any(line.startswith(start) for line in watched.complaints)]

    wait_until(page, lambda: not unseen(), seconds=20)
    assert unseen() == [], watched.complaints
    watched.complaints.clear()


def test_a_page_that_does_nothing_of_the_kind_is_fine(open_page, tmp_path: Path):
    open_page(written(tmp_path, "<script>console.log('fine')</script>"))


def written(folder: Path, html: str) -> Path:
    page = folder / "page.html"
    page.write_text(f"<!doctype html><title>watched</title>{html}")
    return page
