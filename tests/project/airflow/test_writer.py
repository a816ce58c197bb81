"""What is written for Airflow, without Airflow."""

import ast
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import jinja2
import pytest
import yaml
from click.testing import CliRunner
from making import PATIENCE, PROJECT

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.words import Words
from ae_pipelines.pipeline_registry import register_pipelines
from ae_pipelines.project.airflow.plan import DagPlan, read_plans
from ae_pipelines.project.airflow.writer import dag_text, stages, write_dags
from ae_pipelines.project.typed import typed

PYTHON = "/some where/venv/bin/python"


@pytest.fixture(scope="module")
def pipelines():
    return register_pipelines()


@pytest.fixture
def project(tmp_path):
    """Makes a project of which conf/airflow/airflow.yml says this."""

    def project(content) -> Path:
        path = tmp_path / "its folder/conf/airflow/airflow.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False))
        return path.parents[2]

    return project


@pytest.fixture
def dag(pipelines):
    """The tree of the DAG that a plan gives."""
    return lambda **plan: ast.parse(
        dag_text("ae_train", DagPlan(pipeline="train", **plan), Path("/its folder"), PYTHON, pipelines)
    )


def constant(tree, name):
    """What a name at the top of a module stands for."""
    (value,) = (
        node.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    )
    return ast.literal_eval(value)


def keyword(tree, function, name):
    """The source of an argument in the only call of a function with that argument."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == function)
    (found,) = (ast.unparse(word.value) for call in calls for word in call.keywords if word.arg == name)
    return found


def command(tree, stage):
    """The words of the command that a stage runs."""
    scope = {"PROJECT": constant(tree, "PROJECT"), "PYTHON": constant(tree, "PYTHON")}
    (function,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "run_stage")
    exec(compile(ast.Module([function], []), "dag", "exec"), scope)
    return scope["run_stage"](stage)


def test_tasks_and_what_they_wait_for_directly_or_not_are_the_stages_of_the_pipeline(dag, pipelines):
    waits_for = constant(dag(), "STAGES")
    train = pipelines["train"]
    assert set(waits_for) == stages_of(train.nodes)
    for stage in waits_for:
        ancestors = train.to_nodes(*(node.name for node in train.nodes if stages_of([node]) == {stage})).nodes
        assert behind(waits_for, stage) == stages_of(ancestors) - {stage}


def stages_of(nodes):
    """Their namespaces, without those inside a stage."""
    return {node.namespace_prefixes[0] for node in nodes}


def behind(waits_for, stage):
    return {ancestor for other in waits_for[stage] for ancestor in (other, *behind(waits_for, other))}


def test_what_another_one_waits_for_already_is_left_out(dag):
    waits_for = constant(dag(), "STAGES")
    assert waits_for["embed"] == ["fit"]
    assert waits_for["cluster"] == ["embed"]


@pytest.mark.parametrize("name", ["train", "__default__", "scoreboard"])
def test_every_stage_comes_after_those_it_waits_for(pipelines, name):
    seen = set()
    for stage, before in stages(name, pipelines).items():
        assert set(before) <= seen
        seen.add(stage)


def test_a_task_runs_one_stage_in_the_interpreter_that_wrote_the_dag_from_anywhere(dag):
    assert command(dag(), "fit") == [
        *(PYTHON, "-m", "ae_pipelines", "--project-path=/its folder", "--env=airflow"),
        *("--pipelines=train", "--namespaces=fit", "--skip-exit-code=99"),
    ]


def test_a_stage_named_like_a_pipeline_is_still_run_alone(dag, pipelines):
    """`scoreboard` is a stage and the name of a pipeline of two stages."""
    text = dag_text("board", DagPlan(pipeline="scoreboard"), Path("/p"), PYTHON, pipelines)
    assert command(ast.parse(text), "scoreboard")[5:7] == ["--pipelines=scoreboard", "--namespaces=scoreboard"]


def typed_in(tree):
    (words,) = [word for word in command(tree, "fit") if word.startswith("--params=")]
    (word,) = shlex.split(shlex.quote(words))
    return typed(word.removeprefix("--params="))


def test_params_reach_the_command_as_they_are_typed_there(dag):
    given = {"source": "image_folder", "source.size": [32, 32], "source.path": "it's, x", "source.labels": None}
    found = typed_in(dag(params=given))
    assert found == {"source": {"name": "image_folder", "size": ["32", "32"], "path": "it's, x", "labels": "null"}}
    assert not isinstance(found["source"]["path"], Words)


def test_words_of_a_plan_reach_the_command_as_they_are_written(dag, project):
    written = """a: {pipeline: train, params: {a: 007, b: [no, 1e3, "x, y", 'null'], c: null, d: {e: 1_000}, f: "4"}}"""
    plan = read_plans(project(written))["a"]
    assert plan.kedro_params() == 'a=007,b=[no,1e3,"x, y","null"],c=null,d={"e": 1_000},f="4"'
    found = typed_in(dag(params=plan.params))
    assert found == {"a": "007", "b": ["no", "1e3", "x, y", "null"], "c": "null", "d": {"e": "1_000"}, "f": "4"}
    kinds = [isinstance(word, Words) for word in (found["a"], *found["b"], found["c"], found["f"])]
    assert kinds == [True, True, True, False, False, True, False]


HOSTILE = [
    "{{ ds }}",
    "{% raw %}",
    "{# x #}",
    "{{{",
    "a, b",
    "x]y",
    "{a: b",
    "'q",
    '"',
    "$(id)",
    "`id`",
    "; id",
    "\\",
    "\n",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_whatever_a_value_a_key_or_an_item_holds_arrives_as_it_is(dag, hostile):
    """Airflow fills in templates in a command, a shell splits it into words, and Kedro reads what follows --params."""
    given = {"a": hostile, "b": [hostile, {hostile: [hostile]}], "c.d": {hostile: {"e": hostile}}}
    tree = dag(params=given)
    template = shlex.join(command(tree, "fit"))
    words = shlex.split(jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(template).render())
    (params,) = [word.removeprefix("--params=") for word in words if word.startswith("--params=")]
    assert typed(params) == {"a": given["a"], "b": given["b"], "c": {"d": given["c.d"]}}


def test_words_in_lists_arrive_as_they_are_written_whatever_letters_they_have(dag, project):
    written = "a:\n  pipeline: train\n  params:\n    b:\n    - x, y\n    - p]q\n    - 007\n    - r s\n"
    assert typed_in(dag(params=read_plans(project(written))["a"].params)) == {"b": ["x, y", "p]q", "007", "r s"]}


def test_a_project_s_own_path_is_no_template(pipelines):
    path = Path("/its {{ folder }}")
    tree = ast.parse(dag_text("a", DagPlan(pipeline="train"), path, PYTHON, pipelines))
    assert jinja2.Environment().from_string(constant(tree, "PROJECT")).render() == str(path)


def test_what_the_plan_says_is_in_the_dag(dag):
    tree = dag(
        schedule="5 4 * * *",
        start_date="2027-02-03",
        retries=7,
        retry_delay_seconds=1.5,
        execution_timeout_hours=0.25,
        pool="other",
    )
    assert keyword(tree, "DAG", "schedule") == "'5 4 * * *'"
    assert keyword(tree, "DAG", "start_date") == "datetime(2027, 2, 3, tzinfo=UTC)"
    options = keyword(tree, "DAG", "default_args")
    assert "'retries': 7" in options
    assert "timedelta(seconds=1.5)" in options
    assert "timedelta(hours=0.25)" in options
    assert keyword(tree, "task", "pool") == "'other'"


def test_a_dag_without_a_schedule_is_only_started_by_hand(dag):
    assert keyword(dag(), "DAG", "schedule") == "None"


def test_a_dag_imports_nothing_but_airflow_and_python_itself(dag):
    imported = {
        name.split(".")[0]
        for node in ast.walk(dag())
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    assert imported - sys.stdlib_module_names == {"airflow"}


def test_all_tasks_of_a_dag_run_name_the_same_mlflow_run(dag):
    tree = dag()
    assert constant(tree, "RUN") == "ae_train/{{ run_id }}"
    assert keyword(tree, "BashOperator", "env") == "{'AE_RUN': RUN, 'DO_NOT_TRACK': 'true'}"
    assert keyword(tree, "BashOperator", "append_env") == "True"


def test_a_file_is_written_for_each_dag_with_the_absolute_path_of_the_project(
    project, tmp_path, pipelines, monkeypatch
):
    folder = project({"ae_train": {"pipeline": "train"}, "ae_search": {"pipeline": "search"}})
    monkeypatch.chdir(tmp_path)
    written = write_dags(folder.relative_to(tmp_path), Path("dags"), PYTHON, pipelines)
    assert written == [tmp_path / "dags/ae_train.py", tmp_path / "dags/ae_search.py"]
    assert constant(ast.parse(written[0].read_text()), "PROJECT") == str(folder)


def test_the_project_s_own_plan_can_be_followed(tmp_path, pipelines):
    assert [path.stem for path in write_dags(PROJECT, tmp_path, PYTHON, pipelines)] == ["ae_train", "ae_score"]


def test_nothing_is_written_when_one_plan_cannot_be_followed(project, tmp_path, pipelines):
    folder = project({"ae_train": {"pipeline": "train"}, "ae_score": {"pipeline": "tran"}})
    with pytest.raises(InputError, match=r"no pipeline called 'tran'; known: .*Did you mean 'train'\?"):
        write_dags(folder, tmp_path / "dags", PYTHON, pipelines)
    assert not (tmp_path / "dags").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"a": {"pipeline": "train", "retrys": 1}},
            r"airflow.yml, a: retrys: no such option; .*Did you mean 'retries'",
        ),
        ({"a": {"pipeline": "train", "retries": -1}}, "a: retries: given -1"),
        ({"a": {"schedule": "@daily"}}, "a: pipeline: not given, but required"),
        ({"a b": {"pipeline": "train"}}, "a DAG called 'a b', expected letters"),
        ({"a": {"pipeline": "train", "params": {"recipe": "conv,vae"}}}, "given recipe: 'conv,vae', expected"),
        ({"a": {"pipeline": "train", "params": {"a=b,c": "x"}}}, "given a=b,c: 'x', expected one value of one name"),
        ({"a": {"pipeline": "train", "params": {"a{{ ds }},b": "x"}}}, "expected one value of one name"),
        ("a: {pipeline: train, params: {a: b]c[d}}", "airflow.yml: "),
        ("a:\n  pipeline: train\n  params:\n    a: b[c", "given a: 'b.c', expected one value of one name"),
        ({"a": {"pipeline": "train", "params": {"a": [{"pwd": "x"}]}}}, "a.0.pwd looks like a secret"),
        ({"a": {"pipeline": "train", "params": {"a": ["x://me:s3cr3t@y"]}}}, "params: a.0 looks like a secret"),
        ({"a": "train"}, "airflow.yml, a: "),
        ("", "airflow.yml: given None, expected DAGs by name"),
        ("a: [", "airflow.yml: "),
    ],
)
def test_a_plan_that_cannot_be_read_is_refused_with_its_file_and_the_reason(project, content, message):
    with pytest.raises(InputError, match=message):
        read_plans(project(content))


def test_a_folder_without_a_plan_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"there is no .*conf/airflow/airflow.yml"):
        read_plans(tmp_path)


def test_the_command_writes_dags_for_the_interpreter_it_runs_in(project, tmp_path):
    """Its path is not resolved: a virtual environment's python is a link, and what it links to lacks the packages."""
    folder = project({"ae_train": {"pipeline": "train"}})
    command = [sys.executable, "-m", "ae_pipelines.project.airflow", f"--project-path={folder}", "--dags=dags"]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
    assert answer.stdout == f"written: {tmp_path / 'dags/ae_train.py'}\n", answer.stderr
    tree = ast.parse((tmp_path / "dags/ae_train.py").read_text())
    assert constant(tree, "PYTHON") == sys.executable


def test_the_command_refuses_with_one_message(project, tmp_path):
    from ae_pipelines.project.airflow.__main__ import main

    folder = project({"a": {"pipeline": "tran"}})
    result = CliRunner().invoke(main, [f"--project-path={folder}", f"--dags={tmp_path / 'dags'}"])
    assert result.exit_code == 1
    assert result.output.startswith("Error: no pipeline called 'tran'")


def test_the_template_is_part_of_the_package():
    """What a wheel takes along is declared: without it an installed project could not write DAGs."""
    import tomllib

    declared = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    template = next((PROJECT / "src/ae_pipelines/project/airflow").glob("*.jinja"))
    assert template.name in declared["ae_pipelines.project.airflow"]


def test_airflow_yml_does_not_disturb_kedro_s_configuration(tmp_path):
    from ae_pipelines.project.configuration import ConfigLoader
    from ae_pipelines.settings import CONFIG_LOADER_ARGS

    shutil.copytree(PROJECT / "conf", tmp_path / "conf")
    loaded = {
        env: ConfigLoader(str(tmp_path / "conf"), env=env, **CONFIG_LOADER_ARGS)["parameters"]
        for env in ("airflow", "local")
    }
    assert loaded["airflow"] == loaded["local"]
