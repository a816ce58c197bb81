# `make run` and `make test` do their own set-up; everything else is a short name for a longer command.
PYTHON ?= $(firstword $(shell command -v python3.11 python3 2>/dev/null) python3)
VENV := .venv
BIN := $(VENV)/bin
# Two for two cores, and one more: the one that is in Airflow mostly waits.
TEST_PROCESSES ?= 3
INSTALLED := $(VENV)/.installed
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
AIRFLOW := .airflow
AIRFLOW_PORT ?= 8080
SERVE_PORT ?= 5001
# The registered model; the only one, if it is not given.
MODEL ?=
ALIAS ?= champion
ATLAS := .atlas
ATLAS_PORT ?= 5055
TB_PORT ?= 6006

# What the course's commands work on: SOURCE=mnist RECIPE=conv DATA_DIR='/my data' PARAMS=recipe.training.epochs=3; what is
# not given is the project's. The first two may go on as --params do.
SOURCE ?=
RECIPE ?=
DATA_DIR ?=
PARAMS ?=
SEED ?=
comma := ,
# A text as one word of the shell, and as one value of --params, whatever is in it.
quoted = '$(subst ','\'',$(1))'
text = '$(subst ','',$(1))'
# As they were typed: make would take a $ in them for a variable of its own.
source = $(value SOURCE)
recipe = $(value RECIPE)
folder = $(value DATA_DIR)
given = $(if $(source),source=$(source)$(comma))$(if $(recipe),recipe=$(recipe)$(comma))$(if $\
	$(folder),data_dir=$(call text,$(folder))$(comma))$(value PARAMS)
# kedro run with these stages and, if there are any, these parameters of its own, each with a comma, which may be the last.
kedro_run = $(BIN)/kedro run --pipelines=$(1) --params=$(call quoted,$(2)$(given))
# The path of something in the data folder, by the command that makes it.
place = $(BIN)/python -m ae_pipelines.project.looking $(data_dir) --made-by='$(1)'
data_dir = $(if $(folder),--data-dir=$(call quoted,$(folder)))
TENSORBOARD := conf/tensorboard/requirements.lock

export DO_NOT_TRACK := true

.PHONY: help run test lint all encode viz embed query tb atlas dag bench survive nightly-demo mlflow serve airflow lock clean

help:  ## list these commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

run: $(INSTALLED)  ## set up, then the main job on the embedded digits
	@$(BIN)/kedro run --pipeline=train

test: $(INSTALLED)  ## set up, then all tests (MNIST ones if AE_TEST_DATA is set)
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TEST_PROCESSES)

lint: $(INSTALLED)  ## style, types, import contracts
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

all:  ## encode, viz, embed and query, one after the other
	@for command in encode viz embed query; do $(MAKE) --no-print-directory $$command || exit; done

encode: $(INSTALLED)  ## samples become latents: ingest, fit, embed (SOURCE=mnist RECIPE=conv DATA_DIR=..., as below)
	@$(call kedro_run,ingest$(comma)fit$(comma)embed)

viz: $(INSTALLED)  ## groups, classes, what is odd and alike, and the page that shows them (report.html)
	@$(call kedro_run,look)
	@$(call place,make encode viz) --open 08_reporting/report.html

embed: $(INSTALLED)  ## the latents and thumbnails as files for TensorBoard's projector
	@$(call kedro_run,projector)

query: $(INSTALLED)  ## nine neighbours of a random sample, in a picture (SEED= repeats one)
	@$(eval seed := $(or $(SEED),$(strip $(shell od -An -N3 -tu4 /dev/urandom))))echo 'SEED=$(seed) repeats this one'
	@$(call kedro_run,search,search.random=1$(comma)search.k=9$(comma)search.seed=$(seed)$(comma))
	@$(call place,make encode query) --open 08_reporting/similar.png

tb: $(INSTALLED) $(BIN)/tensorboard  ## TensorBoard with what embed wrote, at http://127.0.0.1:6006 (TB_PORT=)
	@folder="$$($(call place,make encode embed) 08_reporting/projector)" && echo 'http://127.0.0.1:$(TB_PORT)/#projector' \
		&& $(BIN)/tensorboard --logdir="$$folder" --host=127.0.0.1 --port=$(TB_PORT)

atlas: $(INSTALLED) $(ATLAS)/venv/.installed  ## the map of the latents in Embedding Atlas, at http://127.0.0.1:5055 (ATLAS_PORT=)
	@$(BIN)/python -m ae_pipelines.project.atlas --atlas=$(ATLAS)/venv/bin/embedding-atlas $(data_dir) --port=$(ATLAS_PORT)

bench: $(INSTALLED)  ## speed and memory, into benchmarks/results/ (some 25 minutes)
	@status=0; for name in training_speed augmentations late_epochs export_speed ingest_speed out_of_core million_latents report_size seals; do \
		$(BIN)/python benchmarks/$$name.py || status=1; done; exit $$status

survive: $(INSTALLED)  ## attack the project at length: kills, damage, full disks, abuse; into benchmarks/results/survival.md (an hour or two)
	@$(BIN)/python benchmarks/survival.py

nightly-demo: $(INSTALLED)  ## train, register, score batches and judge their drift, on MNIST (three minutes)
	@$(BIN)/python benchmarks/nightly.py

dag: $(INSTALLED)  ## look at the pipelines in a browser
	@BROWSER='env "BROWSER=$(BROWSER)" $(BIN)/python -m webbrowser "%s?pid=train&tags=outline"' \
		$(BIN)/kedro viz run --host=127.0.0.1

mlflow: $(INSTALLED)  ## look at all runs in a browser
	@$(BIN)/mlflow ui --host=127.0.0.1 --backend-store-uri=sqlite:///mlflow.db

serve: $(INSTALLED)  ## answer raw samples over HTTP by the registered models (SERVE_PORT=, MODEL=, ALIAS=)
	@model="$$($(BIN)/python -m ae_pipelines.tracking name --model-name='$(MODEL)' --alias='$(ALIAS)')" || exit; \
	echo "models:/$$model@$(ALIAS) will answer at http://127.0.0.1:$(SERVE_PORT)/invocations (docs/serve.md), for example"; \
	printf '%s\n' '  echo "{\"instances\": [\"$$(base64 < image.png | tr -d "\n")\"]}" | curl -H "Content-Type: application/json" -d @- http://127.0.0.1:$(SERVE_PORT)/invocations'; \
	PATH="$(CURDIR)/$(BIN):$$PATH" MLFLOW_TRACKING_URI=$${MLFLOW_TRACKING_URI:-sqlite:///mlflow.db} \
		MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR=false $(BIN)/mlflow models serve --model-uri="models:/$$model@$(ALIAS)" \
		--env-manager=local --host=127.0.0.1 --port=$(SERVE_PORT)

airflow: $(INSTALLED) $(AIRFLOW)/venv/.installed  ## run the DAGs of conf/airflow/airflow.yml in a local Airflow
	@$(BIN)/python -m ae_pipelines.project.airflow --dags=$(AIRFLOW)/dags
	@$(BIN)/python -m ae_pipelines.project.airflow.local --home=$(AIRFLOW) --port=$(AIRFLOW_PORT)

lock: $(INSTALLED)  ## write requirements.lock from what is installed
	@{ head -n 1 requirements.lock; $(BIN)/python -m pip list --disable-pip-version-check --format=freeze --exclude=pip $(shell sed -n 's/==.*//p' $(TENSORBOARD) | sed 's/^/--exclude=/') --exclude-editable 2>/dev/null | sed 's/+cpu//'; } > requirements.new
	@mv requirements.new requirements.lock

clean:  ## remove the environment and caches; data and runs stay
	@rm -rf $(VENV) $(AIRFLOW)/venv $(ATLAS) .viz .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "ae_pipelines needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) --version 2>&1): try make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
		|| { echo "$(PYTHON) has no venv module: install it (Debian: apt-get install python3-venv), or try make PYTHON=/path/to/python $(MAKECMDGOALS)"; exit 1; }
	@echo "Installing into $(VENV) (a minute or two, once)..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --no-compile $$(grep '^torch==' requirements.lock)
	@$(PIP) --no-compile -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -qq -j 0 -x /tests/ $(VENV)/lib || true  # by all cores, pip would do it by one
	@touch $(INSTALLED)

# requirements.lock, which is for everyone, knows nothing of it: `make lock` leaves it out.
$(BIN)/tensorboard: $(TENSORBOARD) | $(INSTALLED)
	@echo "Installing TensorBoard into $(VENV) (once)..."
	@$(PIP) --no-deps -r $<
	@touch $@

# Airflow's own: it never shares an environment with the project.
$(AIRFLOW)/venv/.installed: conf/airflow/requirements.lock
	@echo "Installing Airflow into $(AIRFLOW)/venv (a minute or two, once)..."
	@test -x $(AIRFLOW)/venv/bin/python || $(PYTHON) -m venv $(AIRFLOW)/venv
	@$(AIRFLOW)/venv/bin/python -m pip install -qq --disable-pip-version-check -r $<
	@touch $@

$(ATLAS)/venv/.installed: conf/atlas/requirements.lock
	@echo "Installing Embedding Atlas into $(ATLAS)/venv (a minute or two, once)..."
	@test -x $(ATLAS)/venv/bin/python || $(PYTHON) -m venv $(ATLAS)/venv
	@$(ATLAS)/venv/bin/python -m pip install -qq --disable-pip-version-check --no-deps -r $<
	@touch $@
