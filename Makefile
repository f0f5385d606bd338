# Each target sets itself up: a local .venv from one of the two locks, by the locked uv, else by pip.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: report test types docs lab example bench calibrate calibrate-minutes browser chaos portability build lock clean

# the modules that a run loads are compiled as it loads them, also where the environment keeps Python from doing so
report: $(VENV)/.runtime
	PYTHONDONTWRITEBYTECODE= $(BIN)/impact run 02_event_study --story ford-xiaomi --as-of 2026-02-13

test: $(VENV)/.dev
	$(BIN)/python -m pytest -q -n auto --dist loadfile

types: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.dev
	$(BIN)/sphinx-build -q -W --keep-going -d build/doctrees docs build/docs

lab: $(VENV)/.dev
	$(BIN)/jupyter lab --LabApp.default_url=/lab/tree/notebooks/start.ipynb

example: $(VENV)/.runtime
	$(BIN)/python examples/refresh.py

# what was edited since the install is compiled first: where the environment keeps Python from writing it, each row would
# compile it anew
bench: $(VENV)/.dev
	$(BIN)/python -m compileall -q analysis
	$(BIN)/python benchmarks/bench_pages.py
	$(BIN)/python benchmarks/bench_minutes.py
	$(BIN)/python benchmarks/bench_files.py
	$(BIN)/python benchmarks/bench_batch.py --quick
	$(BIN)/python benchmarks/bench_cluster.py --instants 1000000

calibrate: $(VENV)/.dev
	$(BIN)/python -m calibration.single_firm
	$(BIN)/python -m calibration.cross_section_size
	$(BIN)/python -m calibration.outcome_rates
	$(BIN)/python -m calibration.sample_size

calibrate-minutes: $(VENV)/.dev
	$(BIN)/python -m calibration.minute_size

browser: $(VENV)/.dev
	$(BIN)/python -m pytest -q -m browser -rs

chaos: $(VENV)/.dev
	$(BIN)/python -m pytest -q -m slow

# the numbers on other processors' kernels, which the linear algebra library can be told to use here
portability: $(VENV)/.dev
	for kernel in Haswell SkylakeX Zen Prescott; do for threads in 1 2; do \
	  echo "$$kernel, $$threads threads"; \
	  OPENBLAS_CORETYPE=$$kernel OPENBLAS_NUM_THREADS=$$threads \
	    $(BIN)/python -m pytest -q tests/estimation tests/inference || exit 1; \
	done; done

# the wheel from the source archive, so that nothing but what git knows gets in
build: $(VENV)/.dev
	$(BIN)/uv build --no-build-isolation --python $(BIN)/python --out-dir dist

# runtime and build backend in one lock, all extras in the other; an extra never moves a runtime version
LOCK = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --no-emit-index-url \
	--no-emit-find-links pyproject.toml
BACKEND = $(BIN)/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['build-system']['requires'])"
lock: $(VENV)/.dev
	$(BACKEND) | $(LOCK) - --output-file requirements.lock
	$(LOCK) --all-extras --constraint requirements.lock --output-file requirements-dev.lock

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis build dist

# one environment, filled from the lock that the target needs; the locked build backend serves the project itself, and the
# Python's own pip comes along from its bundle: to set it up first would take longer than all that follows
define fill
	@test -x $(BIN)/python || $(PYTHON) -m venv $$($(PYTHON) -c "import pip" 2>/dev/null && echo --without-pip) $(VENV)
	@test -x $(BIN)/uv || sed -n '/^uv==/,/[^\\]$$/p' requirements-dev.lock > $(VENV)/uv.lock
	@$(BIN)/python -m compileall -q analysis & \
	  test -x $(BIN)/uv || $(PIP) --require-hashes -r $(VENV)/uv.lock 2>/dev/null || true; wait
	@if test -x $(BIN)/uv && $(UV) --require-hashes -r $(1); then :; else $(PIP) --require-hashes -r $(1); fi
	@if test -x $(BIN)/uv && $(UV) $(OWN); then :; else $(PIP) $(OWN); fi
	@touch $@
endef
OWN = --no-deps --no-build-isolation --editable . $$(test -x $(BIN)/pip || $(BIN)/python -c $(BUNDLED))
BUNDLED = "import ensurepip, pathlib; print(*pathlib.Path(ensurepip.__file__).parent.glob('_bundled/pip-*.whl'))" 2>/dev/null
PIP = $$(test -x $(BIN)/pip && echo $(BIN)/python -m pip || echo $(PYTHON) -m pip --python $(BIN)/python) \
	install --quiet --disable-pip-version-check
UV = $(BIN)/uv pip install --quiet $(COMPILE) --python $(BIN)/python

$(VENV)/.runtime: requirements.lock pyproject.toml
	$(call fill,requirements.lock)

$(VENV)/.dev: COMPILE = --compile-bytecode
$(VENV)/.dev: requirements-dev.lock pyproject.toml
	$(call fill,requirements-dev.lock)
	@touch $(VENV)/.runtime
