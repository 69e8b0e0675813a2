# Start with `make demo` and `make test`. Each creates .venv and installs the packages first.
# Python 3.11 to 3.13 is supported: make demo PYTHON=python3.12

PYTHON ?= $(firstword $(foreach v,3.11 3.12 3.13,$(shell python$(v) -c "" 2>/dev/null && echo python$(v))) python3)
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Compile, test and pack the Android app without an Android SDK, see android_demo/README.md.
MAVEN := mvn --batch-mode --no-transfer-progress --file android_demo/pom.xml
APK := android_demo/build/cnn-keras-demo.apk

.PHONY: setup demo test test-slow test-places test-executors test-android wheel apk apk-check lint clean

setup: .venv/installed

.venv/installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else "Python 3.11, 3.12 or 3.13 is needed, $(PYTHON) is %d.%d. Try: make PYTHON=python3.11" % v)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup
	$(BIN)/cnn-keras demo

# One core builds graphs while the other computes. The tests of a file share their trainings. In the
# order of the folders, the doctests come last: they are short, so that both processes end together.
test: setup
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

# torch and JAX, for the tests that compare the networks with torchvision and across backends.
.venv-torch/installed: tests/backends/requirements.txt
	$(PYTHON) -m venv .venv-torch
	.venv-torch/bin/python -m pip install --quiet --requirement tests/backends/requirements.txt
	@touch $@

test-slow: setup .venv-torch/installed
	$(BIN)/python -m pytest -m slow

# Exits with one line if a tool is missing: $(call needs,TOOLS,DEBIAN PACKAGES)
needs = @for tool in $(1); do command -v $$tool > /dev/null \
	|| { echo "$$tool is missing. On Debian: apt-get install $(2)" >&2; exit 1; }; done

# A browser for the tests of the page is Debian's; Playwright's packages only control it.
.venv/places: .venv/installed tests/places/requirements.txt
	$(BIN)/python -m pip install --quiet --requirement tests/places/requirements.txt
	@touch $@

# Measurements on boards, phones and browsers, or what stands for them here.
test-places: setup .venv/places
	$(call needs,adb chromium npm qemu-aarch64 ssh /usr/sbin/sshd,adb chromium npm openssh-client openssh-server qemu-user)
	$(BIN)/python -m pytest -m places tests/places

.venv/executors: .venv/installed tests/executors/requirements.txt
	$(BIN)/python -m pip install --quiet --requirement tests/executors/requirements.txt
	@touch $@

# Many trainings on a local Ray cluster, by submitit, and chosen by Optuna.
test-executors: setup .venv/executors
	$(BIN)/python -m pytest -m executors tests/executors tests/cnn_keras/sweep tests/cnn_keras/experiments

# With the parts of the page of `benchmark --web`, so that it needs no npm where it is installed.
wheel: setup
	$(call needs,npm,npm)
	$(BIN)/python -m export.benchmark.places.web_page.litert_js
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

test-android: setup
	$(call needs,javac mvn aapt2,default-jdk-headless maven aapt)
	$(MAVEN) test -Dlitert.dir="$$($(BIN)/python -c \
	    'from importlib.util import find_spec; print(*find_spec("ai_edge_litert").submodule_search_locations)')"

apk: setup
	$(call needs,javac mvn aapt2 zipalign apksigner dexdump zip,default-jdk-headless maven aapt zipalign apksigner dexdump zip)
	$(MAVEN) --quiet --activate-profiles apk process-classes
	android_demo/pack.sh build/cnn-keras-demo.apk

# Builds the APK twice from scratch and compares the bytes.
apk-check:
	rm -rf android_demo/target && $(MAKE) apk
	mv $(APK) $(APK).first
	rm -rf android_demo/target && $(MAKE) apk
	cmp $(APK) $(APK).first && rm $(APK).first

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf .venv .venv-torch build dist *.egg-info android_demo/target android_demo/build
