"""What somebody may type after `kedro run`, drawn at random: names from the real tree of parameters, and worse."""

import random
import string
from collections.abc import Iterator

NAMES = [
    "recipe", "recipe.name", "recipe.seed", "recipe.model", "recipe.model.kind", "recipe.model.latent_size",
    "recipe.model.net", "recipe.model.net.kind", "recipe.model.net.widths", "recipe.loader", "recipe.loader.batch_size",
    "recipe.loader.corruptions", "recipe.loader.memory_budget", "recipe.training", "recipe.training.epochs",
    "recipe.training.learning_rate", "recipe.training.threads", "recipe.training.device", "recipe.training.precision",
    "recipe.training.initial_encoder", "recipe.training.seed", "source", "source.name", "source.path", "source.kind",
    "source.type", "source.fetch", "source.labels", "data_dir", "raw_dir", "recipes_dir", "model_name", "ingest",
    "ingest.max_rejected", "ingest.shard_rows", "ingest.workers", "embed", "embed.splits", "cluster.clusters",
    "cluster.kinds", "cluster", "classify.draws", "classify.few_labels", "classify.classifier", "contrast.epochs",
    "detect.share", "detect", "search.ids", "search.k", "search.random", "search.seed", "projector.images",
    "restore.images", "report.layouts", "report", "compare.with", "compare.data_dir", "generate.count", "generate",
    "recognise.data_dir", "promote.metric", "promote", "score.version", "score.alias", "drift.reference", "tune.trials",
    "tune.space", "tune.objective", "tune", "scoreboard.recipes", "scoreboard.space", "scoreboard.tasks", "scoreboard",
]  # fmt: skip
"""Fields that there are, and some that there are not."""
VALUES = [
    "", " ", "]", "[", "{", "}", "[[", "{{", "}}", "[]", "{}", "[1,2]", "[1,2", "1,2]", "{a: 1}", "{a: 1", "{a}",
    "{: 1}", "{1: 2}", "'", '"', "'a", '"a', "'a' b", '"\\x"', '"\\ud800"', "''", '""', "abc", "null", "None", "~",
    "true", "False", "nan", "NaN", ".nan", "inf", "-inf", "1e999", "-1", "0", "1.5", "1_000", "0x10", "0b1", "1e3",
    "9" * 30, "9" * 400, "9" * 5000, "-" + "9" * 4400, "1" + "0" * 308, "1e-400", "a" * 10_000, "ä" * 300, "[" * 1000,
    "[" * 40 + "1" + "]" * 40, "[" * 3000 + "]" * 3000, "{a: " * 1000 + "1" + "}" * 1000, "!!python/object:os.system",
    "!!python/object/apply:os.system ['touch /tmp/owned']", "!!binary aGk=", "!!int 1", "&a [*a]", "*a", "<<: *a",
    "${oc.env:HOME}", "${globals:data_dir}", "${recipe.name}", "${", "$", "$HOME", "${HOME}", "$AE_NOT_SET", "%s%n",
    "\x00", "a\x00b", "\x1b[31mred", "\x7f", "a\nb", "\r\n", "\t", "\u202e", "\u200b", "\ufeff", "\udcff", "😀", "é",
    "../..", "/proc", "/dev/null", "/dev/zero", "/dev/full", "/proc/self/mem", "/proc/1/environ", "/proc/nowhere/a",
    "~", "file:///etc/passwd", "http://[", "https://user@host:99999/", "s3://", "runs:/", "models:/a/b/c", "digits",
    "mnist", "mnits", "conv", "dense", "auto", "cnov", "gan", "2026-01-01", "12:30", "1,", ",", "=", "a=b", "a=b,c=d",
    "<script>", "; rm -rf x", "$(id)", "`id`", "{{ 1 + 1 }}", "{% raw %}", "#", "a # b", "a: b", "- a", "|", ">", "@",
    "?", "\\", "\\\\", "//", ".", "..", "con:", "[null]", "[[1], [2]]", "[{kind: noise}]", "{kind: conv}",
    "{kind: noise, level: nan}", "[{kind: [1]}]", "{kind: {kind: conv}}", "{kind: null}", "[a, [b, {c: d}]]",
]  # fmt: skip
WHOLE = [
    "]", "abc", "=", "=1", "==", "a", ",", ",,,", "a..b=1", ".a=1", "a.=1", ".=1", "..=1", "data_dir=X,data_dir.x=a",
    "recipe=conv,recipe=dense", "recipe=[conv],recipe.training.epochs=1", "recipe={name: conv},recipe.name=conv",
    "source={a: {b: {c: 1}}},source.a.b=2", "recipe.training=1,recipe.training.epochs=2", "recipe.a.b.c.d.e.f=1",
    ".".join(["recipe"] * 2000) + "=1", "a" * 10_000, "a" * 10_000 + "=1", "recipe.training.\x00=1", "\x00=\x00",
    "'recipe'=conv", '"recipe"=conv', "recipe :conv", "recipe: conv", "--params=recipe=conv", "recipe=conv;x=1",
    "recipe.__class__=1", "recipe.model.__init__=1", "__proto__.x=1", "source.type=os.system", 
    "source.type=builtins.dict",
    "source.type=pandas.CSVDataset", "source.metadata=1", "source.kind=[1]", "source.kind={a: 1}", "globals=1",
    "recipes=1", "sources=1", "recipes.conv=1", "spaces=1", "runtime_params=1", "source.type=1", "source=[digits]",
    "source={name: [digits]}", "recipe={}", "source={}", "data_dir={}", "data_dir=[]", "data_dir=,", "model_name={}",
    "compare={data_dir: null}", "tune={space: {}}", "tune={space: {fields: 1}}", "tune.space={name: 1, fields: {a: 1}}",
    "scoreboard={recipes: [1, [2]]}", "scoreboard={recipes: {a: 1}}", "scoreboard={recipes: {conv: {recipe: [1]}}}",
    "scoreboard={recipes: [[1]]}", "scoreboard={recipes: [{a: 1}]}", "scoreboard={space: 1}", 
    "scoreboard={space: {fields: {a: b}}}",
    "scoreboard.space=[1]", "tune.space=[1]", "tune.space=../../../etc/passwd", "tune.space=*", "recipe=*",
    "recipe=../../x", "recipe=[[]]", "recipe.name=\x00", "source.path=\x00", "source.path=" + "a" * 5000,
    "data_dir=" + "a/" * 5000, "data_dir=" + "a" * 300, "raw_dir=\x00", "recipes_dir=\x00", "data_dir=\x00",
]  # fmt: skip
"""Texts that no rule above would give."""


def texts(seed: int) -> Iterator[str]:
    """Texts for `--params`, without end."""
    draw = random.Random(seed)
    kinds = (_typed, _typed, _typed, _whole, _noise, _several, _torn)
    while True:
        yield draw.choice(kinds)(draw)


OPTIONS = [
    "pipelines", "env", "nodes", "from-nodes", "to-nodes", "from-inputs", "to-outputs", "tags", "load-versions",
    "conf-source", "namespaces", "runner", "runner-params", "skip-exit-code", "config", "nowhere", "async",
    "only-missing-outputs",
]  # fmt: skip
GIVEN = [
    "", " ", ",", "a", "a,b", "/proc", "/dev/null", "/dev/zero", "a" * 10_000, "[", "]", "{}", "a:b", "a:", ":",
    "a:b:c", "samples:2020", "*", "?",
    "-1", "nan", "base", "local", "airflow", "mnist", "test", "conf", "ingest", "fit",
    "samples", "params:recipe", "autoencoder", "latents", "ThreadRunner", "os.system", "builtins.dict", "http://[",
    "kedro.runner.SequentialRunner", "s3://u:pw@b/c", "x.zip", "pyproject.toml", "__default__", "\x1b[31m", "..", ".",
]  # fmt: skip


def options(seed: int) -> Iterator[str]:
    """Other options of `kedro run`, without end."""
    draw = random.Random(seed)
    while True:
        yield f"--{draw.choice(OPTIONS)}={draw.choice(GIVEN)}"


def _typed(draw: random.Random) -> str:
    return f"{draw.choice(NAMES)}={draw.choice(VALUES)}"


def _whole(draw: random.Random) -> str:
    return draw.choice(WHOLE)


def _noise(draw: random.Random) -> str:
    letters = string.printable + "[]{}'\",.=:${}\x00\x1b\u202eäß😀" * 3
    return "".join(draw.choices(letters, k=draw.choice([1, 3, 10, 50, 300])))


def _several(draw: random.Random) -> str:
    return ",".join(_typed(draw) for _ in range(draw.randint(2, 4)))


def _torn(draw: random.Random) -> str:
    """A good text with a letter changed, left out or said twice."""
    text = 'recipe=conv,recipe.training.epochs=1,search.ids=["a, b",c],recipe.model.net={kind: conv, channels: [8]}'
    place = draw.randrange(len(text))
    return text[:place] + draw.choice(["", text[place] * 2, draw.choice("[]{}'\",.=:\x00")]) + text[place + 1 :]
