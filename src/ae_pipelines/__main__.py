"""`python -m ae_pipelines` (or `ae-pipelines`): `kedro run` from any folder, with `--project-path`."""

import os
import sys
from pathlib import Path
from typing import Any

from kedro.framework.project import configure_project


def main(*arguments: Any, **options: Any) -> Any:
    os.environ.setdefault("DO_NOT_TRACK", "true")
    configure_project(Path(__file__).parent.name)
    from ae_pipelines.cli import run

    options["standalone_mode"] = not hasattr(sys, "ps1")
    return run(*arguments, **options)


if __name__ == "__main__":
    main()
