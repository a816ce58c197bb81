"""What `docs/add_a_part.md` says of each kind of part, done: its examples are put into a copy of the project, and the
command below each of them is run there."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest
from making import PROJECT

PAGE = (PROJECT / "docs/add_a_part.md").read_text()


@dataclass(frozen=True)
class Snippet:
    """A block of the page that opens with the name of a file."""

    path: str
    within: str | None
    """It goes in below the line that starts so; None: it is the file, or the end of one that there is."""
    text: str

    @property
    def is_new_file(self) -> bool:
        return not (PROJECT / self.path).exists()

    def write(self, project: Path) -> None:
        file = project / self.path
        before, after = (file.read_text() if file.exists() else ""), ""
        if self.within:
            line = re.search(rf"^{self.within}\b.*\n", before, re.MULTILINE)
            assert line, f"{self.path} has no line that starts with {self.within}"
            before, after = before[: line.end()], before[line.end() :]
        file.write_text(before + self.text + after)


@dataclass(frozen=True)
class Example:
    """A section of the page that adds a part."""

    title: str
    snippets: list[Snippet]
    battery: list[str]
    """Files of tests."""
    words: str
    """By which the tests of the part are picked."""

    @property
    def picked(self) -> str:
        """As an expression for pytest that holds among tests of other parts, too."""
        return f"(({' or '.join(Path(file).name for file in self.battery)}) and ({self.words}))"


def examples():
    for section in PAGE.split("\n## ")[1:]:
        blocks = re.findall(r"^```(\w+)\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
        opening = r"# (\S+?)(?:, in (\w+))?\n(.*)"
        opened = [re.fullmatch(opening, text, re.DOTALL) for kind, text in blocks if kind != "console"]
        snippets = [Snippet(*match.groups()) for match in opened]
        (command,) = (text for kind, text in blocks if kind == "console")
        words = shlex.split(command)
        assert words[:4] == ["$", "python", "-m", "pytest"]
        assert words[-2] == "-k"
        yield Example(section.split("\n")[0], snippets, words[4:-2], words[-1])


EXAMPLES = list(examples())
of_each = pytest.mark.parametrize("example", EXAMPLES, ids=[example.title for example in EXAMPLES])


def copy_with_examples(folder: Path) -> None:
    for name in ("src", "tests", "conf"):
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "local"))
    (folder / "conf" / "local").mkdir()
    shutil.copy(PROJECT / "pyproject.toml", folder)
    for example in EXAMPLES:
        for snippet in example.snippets:
            snippet.write(folder)


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    """Of each test that the commands run, in one go: its file, its name, and how it ended."""
    folder = tmp_path_factory.mktemp("with_examples")
    copy_with_examples(folder / "project")
    others = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    files = sorted({file for example in EXAMPLES for file in example.battery})
    picked = " or ".join(example.picked for example in EXAMPLES)
    written = [f"--basetemp={folder / 'temporary'}", f"--junitxml={folder / 'done.xml'}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *files, "-k", picked, "-p", "no:cacheprovider", *written],
        cwd=folder / "project",
        env=others | {"PYTHONPATH": str(folder / "project/src"), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    print(done.stdout)
    return [_ended(case) for case in ElementTree.parse(folder / "done.xml").iter("testcase")]


def _ended(case):
    failed = [child.get("message") or "" for child in case if child.tag in ("failure", "error")]
    return case.get("classname").replace(".", "/") + ".py", case.get("name"), failed


@pytest.mark.slow
@of_each
def test_each_file_of_the_battery_takes_up_the_part_and_passes(example, tried):
    for file in example.battery:
        own = [(name, failed) for found, name, failed in tried if found == file and example.words in name + file]
        assert own, f"{file} has no test for {example.words}"
        assert not [(name, failed) for name, failed in own if failed]


@of_each
def test_a_part_is_one_file_or_an_entry_and_at_most_one_entry_more(example):
    touched = [snippet for snippet in example.snippets if not snippet.path.startswith("tests/")]
    assert len(touched) <= 2
    assert sum(snippet.is_new_file for snippet in touched) <= 1


def test_files_that_the_page_names_are_there():
    added = {snippet.path for example in EXAMPLES for snippet in example.snippets}
    package = PROJECT / "src/ae_pipelines"
    rooms = [PROJECT, package, package / "scoring/onnx"]
    named = set(re.findall(r"`((?:\w+/)*\w+\.(?:py|yml)|(?:\w+/)+)`", PAGE))
    assert len(named) > 20
    of_stages = {"nodes.py", "pipeline.py", "tests/models/corruptions/test_fade.py"}
    missing = {name for name in named - added - of_stages if not any((room / name).exists() for room in rooms)}
    assert not missing


def test_the_table_links_every_example():
    linked = set(re.findall(r"\]\(#([\w-]+)\)", PAGE))
    assert linked == {example.title.lower().replace(" ", "-") for example in EXAMPLES}
