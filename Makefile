# Two commands: make test, make demo. A second run skips the set-up.
# Another Python: make test PYTHON=python3.13 VENV=.venv-3.13 (3.10 to 3.13).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
REQUIREMENTS := requirements/runtime.txt requirements/openmmlab.txt requirements/tests.txt
JOBS ?= 4
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Several processes with one thread each: two teams of OpenMP threads on the same cores spin against each other. Four on two
# cores, as tests also wait for files and other processes.
export OMP_NUM_THREADS ?= 1
# The bytecode of the package and the tests is kept: every process would compile it again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup setup-runtime kernels test test-full test-fuzz test-kill test-cluster test-browser test-wheel lint docs linkcheck tutorials demo demo-real
.PHONY: test-numpy1 wheel clean

setup: $(VENV)/.done-tests

# torch comes first and alone, so that pip takes the build that the machine offers and the rest fits it.
$(VENV)/.done: requirements/runtime.txt requirements/openmmlab.txt setup.py pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q "$$(grep '^torch==' requirements/runtime.txt)"
	$(BIN)/python -m pip install -q -r requirements/runtime.txt
	$(BIN)/python -m pip install -q --no-deps -r requirements/openmmlab.txt
	$(BIN)/python -m pip install -q setuptools $(if $(EXTRA),-r $(EXTRA))
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.done-tests: $(VENV)/.done requirements/tests.txt
	$(BIN)/python -m pip install -q -r requirements/tests.txt
	touch $@

$(VENV)/.done-docs: $(VENV)/.done requirements/docs.txt
	$(BIN)/python -m pip install -q -r requirements/docs.txt
	touch $@

# Types are checked against today's NumPy and PyAV, which have no releases for Python 3.10.
lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	if $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then $(BIN)/mypy; fi

# The documentation: docs/_build/html/index.html; every warning is an error, also of pages that have not changed.
docs: $(VENV)/.done-docs
	$(BIN)/python -m sphinx -q -E -W --keep-going -d docs/_build/doctrees docs docs/_build/html

# Links between pages; links to other sites where there is a network.
linkcheck: $(VENV)/.done-docs
	$(BIN)/python -m sphinx -q -W --keep-going -b linkcheck -d docs/_build/doctrees docs docs/_build/linkcheck

# Run the tutorials and keep their outputs in docs/tutorials.
tutorials: setup
	$(BIN)/python tests/tutorials.py

# Compiled once, before the processes of the tests start: Numba's kernels and, in a fresh clone, the bytecode of the tests.
kernels: setup
	$(BIN)/python tests/compile_kernels.py
	test -d tests/__pycache__ || $(BIN)/python -m pytest --collect-only -qq > /dev/null

test: setup $(VENV)/.done-docs
	$(MAKE) -j 2 lint docs kernels
	$(BIN)/python tools/check_env.py
	$(BIN)/python -m pytest -n $(JOBS) --dist loadscope --no-loadscope-reorder

# The longest tests: the demo, the tutorials, long commands of the documentation, all data sets of the paper under both protocols.
test-full: setup
	$(BIN)/python -m pytest -n $(JOBS) --dist loadscope -m full $(ARGS)

# Thousands of new damaged files for every reader (make test tries fifteen each); ARGS: more for pytest. Last, a table of
# readers fuzzed for ten CPU seconds each, guided by the lines of the package that an input reaches.
test-fuzz: setup
	HYPOTHESIS_PROFILE=fuzz $(BIN)/python -m pytest -n $(JOBS) tests/test_fuzz $(ARGS)
	$(BIN)/python tests/fuzz_readers.py --seconds 10

# A hundred kills of the long commands, 30 of a training around its saves, a hundred of the studio: tables.
test-kill: setup
	$(BIN)/python -m pytest -m kill -s

# A real Slurm of one node, and two machines in network namespaces (root).
test-cluster: setup
	command -v slurmctld && command -v ip || { SUDO=$$(test $$(id -u) = 0 || echo sudo); $$SUDO apt-get update -q && $$SUDO apt-get install -y -q slurm-wlm munge iproute2; }
	$(BIN)/python -m pytest -m cluster -rs --durations=0 $(ARGS)

# The studio in a real browser without a window; make test runs these tests too where there is one.
test-browser: setup
	command -v chromium || { SUDO=$$(test $$(id -u) = 0 || echo sudo); $$SUDO apt-get update -q && $$SUDO apt-get install -y -q chromium; }
	$(BIN)/python -m pytest -m browser -rs $(ARGS)

# The whole chain on the synthetic sport: runs/demo/report.html; SCALE=tiny, small or full, ARGS for more.
demo: $(VENV)/.done
	$(BIN)/python tools/demo.py $(if $(SCALE),--scale $(SCALE)) $(ARGS)

# The chain on a real video with a pose estimator, both from PyPI: runs/demo-real/report.html.
demo-real: $(VENV)/.done
	$(BIN)/python tools/demo_real.py $(ARGS)

# The same suite on NumPy 1.26 (Python 3.10 to 3.12).
test-numpy1:
	$(MAKE) test VENV=.venv-numpy1 EXTRA=requirements/numpy1.txt

wheel: $(VENV)/.done
	rm -rf build dist
	$(BIN)/python -m pip wheel -q --no-deps --no-build-isolation -w dist .

# The block of docs/install.md, in an empty folder outside the checkout.
test-wheel: wheel
	FOLDER=$$(mktemp -d) && cp dist/vpd_mm-*.whl "$$FOLDER" \
	&& sed -n '/^<!-- make test-wheel/,/^```$$/{/^[<`]/!p}' docs/install.md > "$$FOLDER/lines.sh" \
	&& cd "$$FOLDER" && PATH="$(abspath $(BIN)):$$PATH" sh -ex lines.sh && rm -rf "$$FOLDER"

clean:
	rm -rf $(VENV) .venv-* build dist docs/_build *.egg-info
