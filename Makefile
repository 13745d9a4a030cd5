# Everything is done from here. build, demo and test need GNU make, Go and git; what the other targets need, they install.

BIN     := $(CURDIR)/bin
CACHE   := $(CURDIR)/.cache
LINTERS := $(CACHE)/tools

# One set of flags for all, so that no target compiles again what another has compiled.
export GOFLAGS := $(GOFLAGS) -trimpath
# The race detector needs a C compiler; without one, Go says 0 here.
RACE := $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)

TEMPORAL_DEV := $(BIN)/temporal-dev
MODULES      := . devstack/temporal tools
COVERED      := batch workflows activities internal/gateway webhookbridge/bridge
COVER_FLOOR  := 85

.DEFAULT_GOAL := help
.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

.PHONY: build
build: $(TEMPORAL_DEV) ## build worker, starter, webhookbridge, devstack and temporal-dev into bin/
	go build -o $(BIN)/ ./worker ./starter ./webhookbridge ./devstack

$(TEMPORAL_DEV): $(wildcard devstack/temporal/*.go) devstack/temporal/go.mod devstack/temporal/go.sum
	@echo "Building the Temporal server. The first time this takes about five minutes; later it is kept."
	go build -C devstack/temporal -o $@ .

.PHONY: demo
demo: build ## run the example on a stack of its own (DEMO_FLAGS="--keep" keeps it up)
	$(BIN)/devstack demo $(DEMO_FLAGS)

.PHONY: test
test: build ## run every test that needs Go alone
	TEMPORAL_DEV_BIN=$(TEMPORAL_DEV) go test $(RACE) -shuffle=on -timeout 15m ./...
	go test -C devstack/temporal -shuffle=on -timeout 5m ./...

.PHONY: test-large
test-large: $(TEMPORAL_DEV) ## run a million rows, about 1 GiB, through one bulk run: memory, histories, every row once
	BATCHKEEPER_LARGE=1000000 TEMPORAL_DEV_BIN=$(TEMPORAL_DEV) go test -count=1 -v -timeout 2h -run '^TestBulkLarge$$' ./devstack/e2e

.PHONY: bench
bench: ## measure inspect and reconcile against sha256sum, jq and a plain copy, as ratios
	BENCH_MIB=$${BENCH_MIB:-1024} go test -run '^$$' -bench . -benchtime 3x -timeout 2h ./bench

FUZZTIME ?= 60s

.PHONY: fuzz
fuzz: ## fuzz every parser and verifier, FUZZTIME (60s) each; FUZZTIME=10s for a short round
	@tools/fuzz $(FUZZTIME)

.PHONY: record
record: build ## record the histories of a release for the replay test: make record RELEASE=v0.1.0
	@[ -n "$(RELEASE)" ] || { echo "RELEASE is not set"; exit 2; }
	TEMPORAL_DEV_BIN=$(TEMPORAL_DEV) BATCHKEEPER_RECORD=$(CURDIR)/workflows/testdata/histories/$(RELEASE) \
		go test -count=1 -timeout 15m -run 'Happy|Cancel|Stale|Create|Late404|Reset|Expiry|Fail|BadInput|Truncated|Start|ContinueAsNew' ./devstack/e2e

.PHONY: test-system
test-system: build system-packages ## run the tests that need a browser, PostgreSQL and other languages
	cd test/system && npm ci --ignore-scripts --no-audit --no-fund
	TEMPORAL_DEV_BIN=$(TEMPORAL_DEV) go test -tags system -count=1 -timeout 15m ./test/system/...

.PHONY: system-packages
system-packages:
	@missing=""; \
	command -v chromium >/dev/null || missing="chromium fonts-liberation"; \
	command -v npm >/dev/null || missing="$$missing nodejs npm"; \
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$$missing postgresql"; \
	[ -z "$$missing" ] && exit 0; \
	sudo=""; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	$$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $$missing

.PHONY: lint
lint: $(LINTERS)/golangci-lint ## check the format, the code, the import directions, the workflows and the module files
	@unformatted="$$(git ls-files -co --exclude-standard '*.go' | xargs gofmt -l)"; \
	[ -z "$$unformatted" ] || { echo "not formatted (gofmt -w):"; echo "$$unformatted"; exit 1; }
	go vet -tags system ./...
	go vet -C devstack/temporal ./...
	$(LINTERS)/golangci-lint run --allow-parallel-runners ./...
	cd devstack/temporal && $(LINTERS)/golangci-lint run --allow-parallel-runners --config $(CURDIR)/.golangci.yml ./...
	$(LINTERS)/workflowcheck -config workflowcheck.config.yaml ./workflows/... ./batch/...
	@for module in $(MODULES); do echo "go mod tidy -diff in $$module"; (cd $$module && go mod tidy -diff) || exit 1; done

# The versions are those of tools/go.mod.
$(LINTERS)/golangci-lint: tools/go.mod tools/go.sum
	@mkdir -p $(@D)
	go build -C tools -o $(@D)/ tool
	@touch $@

.PHONY: cover
cover: $(TEMPORAL_DEV) ## measure the coverage of the packages that decide; fails below COVER_FLOOR percent
	@mkdir -p $(CACHE)
	TEMPORAL_DEV_BIN=$(TEMPORAL_DEV) go test -timeout 15m -coverprofile=$(CACHE)/cover.out \
		-coverpkg=$(subst $() ,$(comma),$(COVERED:%=batchkeeper/%)) $(COVERED:%=./%/...)
	@awk -v floor=$(COVER_FLOOR) -f tools/coverage.awk $(CACHE)/cover.out

comma := ,

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BIN) $(CACHE) test/system/node_modules
