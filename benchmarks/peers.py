"""Seconds of others ÷ ours for the same work, as users of each have it: every arm is a process, and they take turns.

Peers that are not installed are left out, with a line that says so. For the whole table, in an environment of its own:
`pip install -e . pythae lightning pyod`. The same nets, batches and threads; the options of malloc
(`training.devices`) hold for a process, so ours has them and others have not (`ours, malloc as it is`: their share).
"""

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import peers_latents
import peers_training
import torch
from paired import Arm, mnist_like, ratios, write_table


@dataclass(frozen=True)
class Row:
    """One kind of work, and who does it."""

    name: str
    arms: dict[str, str | None]
    """With the package that each needs; ours is one of them."""
    make: Callable[[str, str, float], Arm]
    """What an arm's turns are, by name, arm and share of the work."""
    least: dict[str, float] = field(default_factory=dict)
    """Least that seconds of an arm ÷ ours may be."""
    rounds: int = 99
    """Most rounds, for what takes long."""

    @property
    def present(self) -> list[str]:
        return [arm for arm, package in self.arms.items() if package is None or importlib.util.find_spec(package)]


LEAST = {
    "b conv 32-64-latent 32": {"pythae": 1.8},
    "c dense 784-250-100-10": {"Lightning": 2.0},
}
"""Where more is asked than that nobody is faster."""
LONG = {"KMeans, 10 groups of a million": 3, "mixture, 10 groups of a million": 1}


def rows() -> dict[str, Row]:
    """All rows of the table, by name."""
    found = []
    for name in peers_training.TRAININGS:
        least = dict.fromkeys(peers_training.PEERS, 1.0) | LEAST.get(name, {})
        found.append(Row(name, peers_training.ARMS, peers_training.arm, least))
    for name, (_, _, peer, package) in peers_latents.WORK.items():
        arms = {"ours": None, peer: package}
        found.append(Row(name, arms, peers_latents.arm, {peer: 1.0}, LONG.get(name, 99)))
    return {row.name: row for row in found}


def serve(row: Row, arm: str, share: float) -> None:
    """Get ready for the work and do it, by turns, at each line of the standard input."""
    answers, sys.stdout = sys.stdout, sys.stderr
    turn = row.make(row.name, arm, share)
    for _ in sys.stdin:
        work = turn()
        print("ready", file=answers, flush=True)
        sys.stdin.readline()
        work()
        print("done", file=answers, flush=True)


class Worker:
    """A process that does the work of an arm when asked."""

    def __init__(self, row: Row, arm: str, share: float, log: IO[str]) -> None:
        command = [sys.executable, __file__, "--arm", arm, "--rows", row.name, "--share", str(share)]
        self._name, self._log = f"{arm}: {row.name}", log
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=os.environ
        )

    def get_ready(self) -> Callable[[], None]:
        """What is not timed; gives the work."""
        self._ask()
        return self._ask

    def end(self) -> None:
        """Let the process end."""
        self._pipe(self._process.stdin).close()
        self._process.wait()

    def _ask(self) -> None:
        print(file=self._pipe(self._process.stdin), flush=True)
        if not self._pipe(self._process.stdout).readline():
            self._log.seek(0)
            raise SystemExit(f"{self._name} ended: {self._log.read()[-2000:]}")

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        if pipe is None:
            raise RuntimeError("not a pipe")
        return pipe


def measured(row: Row, rounds: int, share: float) -> dict[str, float]:
    """Seconds ÷ ours by arm, and ours' seconds."""
    with tempfile.TemporaryFile("w+") as log:
        workers = {arm: Worker(row, arm, share, log) for arm in row.present}
        try:
            turns: dict[str, Arm] = {arm: worker.get_ready for arm, worker in workers.items()}
            return ratios(turns, "ours", min(rounds, row.rounds))
        finally:
            for worker in workers.values():
                worker.end()


def lines(row: Row, found: dict[str, float]) -> list[list[str]]:
    """A line of the table for each arm beside ours."""
    made = []
    for arm, package in row.arms.items():
        least = f" (≥ {row.least[arm]})" if arm in row.least else ""
        if arm in found and arm != "ours":
            made.append([row.name, f"{found['ours seconds']:.2f} s", arm, f"{found[arm]:.2f}{least}"])
        elif arm not in found:
            made.append([row.name, "", arm, f"left out: pip install {package}"])
    return made


def main(rounds: int, wanted: list[Row], share: float) -> bool:
    table, kept = [], True
    with tempfile.TemporaryDirectory() as cache:
        os.environ["AE_CACHE"] = cache  # what is fastest here is found anew
        for row in wanted:
            found = measured(row, rounds, share)
            kept &= all(found.get(arm, least) >= least for arm, least in row.least.items())
            table += lines(row, found)
            for line in table[-len(row.arms) + 1 :]:
                print(*line, sep=" | ", flush=True)
    threads = torch.get_num_threads()
    title = f"Seconds of others ÷ ours, {mnist_like(1)[1]}, {threads} threads, medians of up to {rounds} paired rounds"
    header = ["work", "ours", "who", "seconds ÷ ours"]
    name = f"{Path(__file__).stem}_{threads}_thread{'s' if threads > 1 else ''}"
    if share == 1.0 and len(wanted) == len(rows()):
        write_table(name, title, header, table)
    return kept


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rows", nargs="+", choices=list(rows()), default=list(rows()))
    parser.add_argument("--share", type=float, default=1.0, help="of the work, to see whether all of it runs")
    parser.add_argument("--arm", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    some = [rows()[name] for name in arguments.rows]
    if arguments.arm:
        serve(some[0], arguments.arm, arguments.share)
    else:
        raise SystemExit(not main(arguments.rounds, some, arguments.share))
