"""DAG files from the registered pipelines.

Not kedro-airflow: its DAGs run Kedro in Airflow's own interpreter and assume the project as working directory;
ours start the project's interpreter with absolute paths, so they also serve a project that is an installed wheel.
"""

import json
import re
from graphlib import TopologicalSorter
from importlib.resources import files
from pathlib import Path

from kedro.pipeline import Pipeline

from ae_pipelines.base.atomic import write_text
from ae_pipelines.base.errors import InputError, suggestion
from ae_pipelines.project.airflow.plan import ENVIRONMENT, DagPlan, read_plans

SKIP_EXIT_CODE = 99
"""Exit status of a stage that has nothing to do; Airflow's default for "skipped"."""


def write_dags(project: Path, folder: Path, python: str, pipelines: dict[str, Pipeline]) -> list[Path]:
    """A file in `folder` for each DAG that the project plans, whose tasks run `python` (absolute, not resolved: the
    python of a virtual environment is a link). `InputError` before anything is written if a plan cannot be followed.
    """
    project, folder = project.resolve(), folder.resolve()
    texts = {name: dag_text(name, plan, project, python, pipelines) for name, plan in read_plans(project).items()}
    for name, text in texts.items():
        write_text(folder / f"{name}.py", text)
    return [folder / f"{name}.py" for name in texts]


def dag_text(name: str, plan: DagPlan, project: Path, python: str, pipelines: dict[str, Pipeline]) -> str:
    """The Python of one DAG, which imports only airflow."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True)
    environment.filters["literal"] = _literal
    template = environment.from_string(files(__package__).joinpath("dag.py.jinja").read_text(encoding="utf-8"))
    return template.render(
        name=name,
        plan=plan,
        project=verbatim(str(project)),
        python=verbatim(python),
        environment=ENVIRONMENT,
        stages=stages(plan.pipeline, pipelines),
        params=verbatim(plan.kedro_params()),
        skip_exit_code=SKIP_EXIT_CODE,
        start_date=f"{plan.start_date.year}, {plan.start_date.month}, {plan.start_date.day}",
    )


def verbatim(text: str) -> str:
    """The text so that it is left as it is by Airflow, which fills in {{ }} and {% %} in commands."""
    return re.sub(r"\{(?=[{%#])", '{{ "{" }}', text)


def stages(name: str, pipelines: dict[str, Pipeline]) -> dict[str, list[str]]:
    """The stages (namespaces) of a pipeline in an order in which they can run, each with those it waits for, without
    those that another of them waits for already (a transitive reduction), so that the graph can be read."""
    if name not in pipelines:
        raise InputError(f"no pipeline called {name!r}; {suggestion(name, sorted(pipelines))}")
    groups = {group.name: set(group.dependencies) for group in pipelines[name].group_nodes_by("namespace")}
    behind: dict[str, set[str]] = {}
    in_order = TopologicalSorter({stage: sorted(before) for stage, before in groups.items()}).static_order()
    for stage in in_order:
        behind[stage] = groups[stage].union(*(behind[other] for other in groups[stage]))
    return {stage: sorted(groups[stage] - set().union(*(behind[other] for other in groups[stage]))) for stage in behind}


def _literal(value: str | list[str] | None) -> str:
    """The value as Python source, with texts in double quotes."""
    return "None" if value is None else json.dumps(value, ensure_ascii=False)
