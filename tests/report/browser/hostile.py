"""Names that would do something in a page that is careless with what its data say."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ae_pipelines.samples.source import Block, Reject
from ae_pipelines.samples.spec import SampleSpec

COUNT = 200
HACK = "hacked=1"
"""What all of them try: a global of this name would show that one of them ran."""

MARKUP = (
    "<script>{hack}</script>",
    "</script><script>{hack}</script>",
    "</SCRIPT ><svg/onload={hack}>",
    "<!--<script>",
    "--><script>{hack}</script><!--",
    "]]><script>{hack}</script>",
    "</title></style></textarea></template><script>{hack}</script>",
    "<img src=x onerror={hack}>",
    "<img src=http://127.0.0.1:9/seen.png>",
    "<svg><script>{hack}</script></svg>",
    "<iframe srcdoc='<script>parent.{hack}</script>'>",
    "<a href=javascript:{hack}>here</a>",
    "<style>*{{display:none}}</style>",
    "</style><link rel=stylesheet href=//127.0.0.1:9/x.css>",
    "<base href=//127.0.0.1:9/>",
    "<meta http-equiv=refresh content='0;url=about:blank'>",
    "<form action=about:blank><input name=ready>",
    "<body onpointermove={hack}>",
    "<math><mtext><script>{hack}</script>",
    "<details open ontoggle={hack}>",
    "<p id=plot>",
    "<object data=javascript:{hack}>",
    "&lt;script&gt;{hack}&lt;/script&gt;",
    "&#x3c;script&#x3e;{hack}&#60;/script&#62;",
    "&amp;&quot;&apos;&nbsp;&notanentity;",
    "%3Cscript%3E{hack}%3C/script%3E",
)
ATTRIBUTES = (
    '" onpointerenter={hack} x="',
    "' onfocus={hack} autofocus x='",
    "` onclick={hack} `",
    '"><script>{hack}</script>',
    "'><script>{hack}</script>",
    '" style="position:fixed;inset:0;background:red',
    "\"' ' \" '",
    '\\" onload={hack} \\"',
    "x=y z",
    "javascript:{hack}",
    "data:text/html,<script>{hack}</script>",
    "vbscript:{hack}",
)
CODE = (
    "${{{hack}}}",
    "`${{{hack}}}`",
    "{{{{ 7 * 7 }}}}",
    "{{% for x in [] %}}",
    "{{{{ ''.__class__ }}}}",
    "{{# hidden #}}",
    "\\u003cscript\\u003e{hack}\\u003c/script\\u003e",
    "\\x3cscript\\x3e",
    "\\",
    "\\n\\0\\'\\\"",
    "'; {hack}; '",
    '"; {hack}; "',
    "*/{hack}/*",
    "//{hack}",
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
    "red;background:url(http://127.0.0.1:9/x)",
    "expression({hack})",
    "url(javascript:{hack})",
    "}}*{{background:url(//127.0.0.1:9/x)}}",
    '=HYPERLINK("http://127.0.0.1:9")',
    "@SUM(1)",
    "null",
    "undefined",
    "true",
    "[object Object]",
)
TEXT = (
    "a\nb",
    "a\r\nb",
    "a\rb",
    "a\tb",
    "a\0b",
    "a\x01\x1b[31mb",
    "a\x85b",
    "a\u2028{hack}\u2029b",
    "\u202etxt.exe",
    "\u2067\u05d0\u05d1\u05d2\u2069",
    "\u200b\u200fzero",
    "\ufeffbom",
    "\U0001f469\u200d\U0001f52c\U0001f1fa\U0001f1f3",
    "e\u0301\u0302\u0303" * 5,
    "\ufffd\uffff",
    "\U0010ffff",
    "../../../etc/passwd",
    "C:\\Windows\\x",
    "https://example.org/?a=1&b=<c>",
    "a,b;c\td|e",
    "#id=x&y",
    "%",
    "%00%zz",
    "a" * 3_000,
    "w ide " * 300,
    "<" * 500,
)
PLAIN = ("Ü", "ß", "日本語", "العربية", "עברית", "ไทย", "naïve café", "O'Neill", "AT&T", "1 < 2 > 0")


def names() -> list[str]:
    """`COUNT` different names; the last ones are pairs of those before."""
    written = [text.format(hack=HACK) for text in (*MARKUP, *ATTRIBUTES, *CODE)]
    written += [text.replace("{hack}", HACK) for text in (*TEXT, *PLAIN)]
    pairs = [first + second for apart in (7, 3) for first, second in zip(written, written[apart:], strict=False)]
    return list(dict.fromkeys(written + pairs))[:COUNT]


class Hostile:
    """A source whose samples, labels, rejects and own name are such names; every name is a class with a few samples."""

    name = "</title><script>hacked=1</script>{{ 7 * 7 }}\u202e"
    of_a_class = 4

    def spec(self) -> SampleSpec:
        return SampleSpec(shape=(1, 8, 8), dtype="uint8")

    def count(self) -> int:
        return COUNT * self.of_a_class

    def blocks(self) -> Iterator[Block]:
        draw, texts = np.random.default_rng(0), names()
        kinds = draw.integers(0, 256, (COUNT, 1, 8, 8))
        kinds = np.repeat(kinds, self.of_a_class, axis=0)
        values = (kinds + draw.integers(-20, 21, kinds.shape)).clip(0, 255).astype(np.uint8)
        copies = range(self.of_a_class)
        ids = [text if copy == 0 else f"{text} {copy}" for text in texts for copy in copies]
        labels = [None if copy == 1 else text for text in texts for copy in copies]
        splits = ["test" if copy == 2 else "train" for _ in texts for copy in copies]
        rejects = [Reject(f"rejected {text}", "0" * 64, f"because of {text}") for text in texts]
        yield Block(values, ids, labels, splits, rejects=rejects)
