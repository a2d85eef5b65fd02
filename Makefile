# `make demo` and `make test` need only Node.js 20 or newer, npm and the npm registry. Everything that they download or
# build goes to .tools, node_modules and dist.

BUN := .tools/bun
BINARY := dist/codexlb
SOURCES := $(shell find src scripts -type f) package.json bun.lock tsconfig.json
export BUN_INSTALL_CACHE_DIR := $(CURDIR)/.tools/bun-cache

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
DATADIR ?= $(PREFIX)/share
DESTDIR ?=
# Options of the service and of the proxy in the foreground. An empty one means the value in config.toml or the default.
ROOT ?=
LISTEN ?=
UPSTREAM ?=
# The directory with the service's executable. The default is dist; make then builds the executable first.
ifeq ($(origin BINARY_WORKDIR),undefined)
BINARY_WORKDIR := $(CURDIR)/dist
SERVICE_NEEDS := $(BINARY)
endif
CODEXLB = "$(BINARY_WORKDIR)/codexlb"
ROOT_FLAG = $(if $(ROOT),--root "$(ROOT)")
PROXY_FLAGS = $(ROOT_FLAG) $(if $(LISTEN),--listen "$(LISTEN)") $(if $(UPSTREAM),--upstream "$(UPSTREAM)")
INSTALL_SERVICE = $(CODEXLB) service install --binary $(CODEXLB) $(PROXY_FLAGS)
FACTOR ?= 50
MINUTES ?= 10

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(BINARY) ## Show codexlb with simulated accounts: turns, a failover, the status table
	$(BINARY) demo

.PHONY: build
build: $(BINARY) ## Build dist/codexlb

.PHONY: test
test: $(BINARY) ## Run the test suite
	CODEXLB_TEST_BINARY=$(CURDIR)/$(BINARY) $(BUN) scripts/test.ts test/core test/network test/state test/auth test/cluster test/upstream test/proxy test/notify test/metrics test/tracing test/admin test/dashboard test/login test/chain test/mock test/bench test/codex test/service test/upgrade test/cli test/simulation test/durability test/hardening test/fuzz test/advice.test.ts test/wrapped-lines.test.ts test/deps.test.ts test/docs.test.ts test/errors.test.ts test/gathering-reader.test.ts test/makefile.test.ts test/architecture.test.ts

.PHONY: test-faults
test-faults: node_modules/.ready ## Test every kind of failure, and write docs/faults.md with what Codex shows
	$(BUN) scripts/test.ts test/faults

.PHONY: test-cluster
test-cluster: $(BINARY) ## Test failures of replicas and of their server, and write docs/cluster-faults.md
	CODEXLB_TEST_BINARY=$(CURDIR)/$(BINARY) $(BUN) scripts/test.ts test/cluster-faults

.PHONY: snapshots
snapshots: node_modules/.ready ## Update the committed texts of help, tables and messages (review the diff)
	$(BUN) scripts/test.ts test/cli/snapshots.test.ts test/cli/message-snapshots.test.ts test/cli/status test/cli/watch test/cli/accounts/account-details.test.ts test/cli/accounts/account-table.test.ts test/cli/accounts/account-lines.test.ts test/cli/accounts/import-peers.test.ts --update-snapshots

.PHONY: check
check: node_modules/.ready ## Check types, lint, format, unused code, known vulnerabilities, imports between layers, and wording
	$(BUN) run check:types
	$(BUN) run check:lint
	$(BUN) run check:unused
	$(BUN) scripts/audit.ts
	$(BUN) test ./test/architecture.test.ts ./test/prose.test.ts

.PHONY: smoke
smoke: $(BINARY) ## Test the executable outside the repository, in real terminals and in a browser
	CODEXLB_TEST_BINARY=$(CURDIR)/$(BINARY) $(BUN) scripts/test.ts test/e2e test/page test/terminal

.PHONY: test-real
test-real: $(BINARY) ## Run real Codex binaries (from npm) through the executable
	CODEXLB_TEST_BINARY=$(CURDIR)/$(BINARY) CODEXLB_TEST_FETCH=1 $(BUN) scripts/test.ts test/real

.PHONY: fuzz
fuzz: $(BINARY) ## Run FACTOR=50 times as many fuzz cases as make test (SEED=N repeats a run)
	CODEXLB_TEST_BINARY=$(CURDIR)/$(BINARY) CODEXLB_TEST_TIMEOUT_MS=3600000 CODEXLB_TEST_FUZZ_FACTOR=$(FACTOR) $(if $(SEED),CODEXLB_TEST_FUZZ_SEED=$(SEED)) \
	  $(BUN) test ./test/fuzz

.PHONY: soak
soak: $(BINARY) ## Run mixed traffic and faults for MINUTES=10; fail if memory or descriptors grow
	CODEXLB_TEST_BINARY=$(CURDIR)/$(BINARY) $(BUN) scripts/soak.ts $(MINUTES)

.PHONY: bench
bench: $(BINARY) ## Measure CPU, memory and delay beside a minimal proxy and nginx (ROWS=a,b ROUNDS=5 BASELINE= PEER=)
	CODEXLB_TEST_BINARY=$(CURDIR)/$(BINARY) $(BUN) scripts/bench/main.ts

.PHONY: profile
profile: node_modules/.ready ## Print the functions that use the proxy's time under a load of make bench (ROW=b TOP=40)
	$(BUN) scripts/bench/profile.ts

.PHONY: fmt
fmt: node_modules/.ready ## Format the sources
	$(BUN) run format

.PHONY: docs
docs: node_modules/.ready ## Generate docs/configuration.md, docs/policies.md, docs/metrics.md and docs/performance.md
	$(BUN) scripts/docs.ts

.PHONY: simulate
simulate: node_modules/.ready ## Simulate four weeks of policies, options, credits and anchoring for the tables of docs/policies.md
	$(BUN) scripts/simulate.ts
	$(BUN) scripts/docs.ts

.PHONY: install
install: $(BINARY) ## Install to PREFIX=/usr/local, with the manual page and completions (options: BINDIR=, DESTDIR=)
	$(BINARY) man > dist/codexlb.1
	$(BINARY) completions bash > dist/codexlb.bash
	$(BINARY) completions zsh > dist/_codexlb
	$(BINARY) completions fish > dist/codexlb.fish
	install -d "$(DESTDIR)$(BINDIR)" "$(DESTDIR)$(DATADIR)/man/man1" \
	  "$(DESTDIR)$(DATADIR)/bash-completion/completions" "$(DESTDIR)$(DATADIR)/zsh/site-functions" \
	  "$(DESTDIR)$(DATADIR)/fish/vendor_completions.d"
	install -m 755 $(BINARY) "$(DESTDIR)$(BINDIR)/codexlb"
	install -m 644 dist/codexlb.1 "$(DESTDIR)$(DATADIR)/man/man1/codexlb.1"
	install -m 644 dist/codexlb.bash "$(DESTDIR)$(DATADIR)/bash-completion/completions/codexlb"
	install -m 644 dist/_codexlb "$(DESTDIR)$(DATADIR)/zsh/site-functions/_codexlb"
	install -m 644 dist/codexlb.fish "$(DESTDIR)$(DATADIR)/fish/vendor_completions.d/codexlb.fish"

.PHONY: uninstall
uninstall: ## Remove the files that make install installed; keep the state directory
	rm -f "$(DESTDIR)$(BINDIR)/codexlb" "$(DESTDIR)$(DATADIR)/man/man1/codexlb.1" \
	  "$(DESTDIR)$(DATADIR)/bash-completion/completions/codexlb" \
	  "$(DESTDIR)$(DATADIR)/zsh/site-functions/_codexlb" \
	  "$(DESTDIR)$(DATADIR)/fish/vendor_completions.d/codexlb.fish"

.PHONY: run-proxy
run-proxy: $(SERVICE_NEEDS) ## Run the proxy in the foreground (options: ROOT=, LISTEN=, UPSTREAM=)
	$(CODEXLB) proxy $(PROXY_FLAGS)

.PHONY: status
status: $(SERVICE_NEEDS) ## Show the accounts of the running proxy
	$(CODEXLB) status $(ROOT_FLAG)

.PHONY: install-daemons
install-daemons: $(SERVICE_NEEDS) ## Install the proxy as a service (options: ROOT=, LISTEN=, UPSTREAM=, BINARY_WORKDIR=)
	$(INSTALL_SERVICE)

.PHONY: install-systemd
install-systemd: $(SERVICE_NEEDS) ## Install the proxy as a systemd service
	$(INSTALL_SERVICE) --target systemd

.PHONY: install-launchd
install-launchd: $(SERVICE_NEEDS) ## Install the proxy as a launchd service
	$(INSTALL_SERVICE) --target launchd

.PHONY: uninstall-daemons
uninstall-daemons: $(SERVICE_NEEDS) ## Stop the service and remove it
	$(CODEXLB) service uninstall

.PHONY: uninstall-systemd
uninstall-systemd: $(SERVICE_NEEDS) ## Stop the systemd service and remove it
	$(CODEXLB) service uninstall --target systemd

.PHONY: uninstall-launchd
uninstall-launchd: $(SERVICE_NEEDS) ## Stop the launchd service and remove it
	$(CODEXLB) service uninstall --target launchd

.PHONY: release
release: node_modules/.ready ## Build dist/release/ for all platforms: make release VERSION=1.2.3 (TARGETS=linux-x64,...)
	$(BUN) scripts/release/release.ts $(if $(VERSION),--version "$(VERSION)") $(if $(TARGETS),--targets "$(TARGETS)")

.PHONY: packages
packages: node_modules/.ready ## Add install.sh, the Homebrew formula, npm, deb and rpm packages to dist/release/
	$(BUN) scripts/release/package.ts $(if $(ONLY),--only "$(ONLY)")

.PHONY: tap
tap: node_modules/.ready ## Write the formula into a checkout of the Homebrew tap: make tap TAP=../homebrew-codexlb
	$(BUN) scripts/release/package.ts --tap "$(TAP)"

.PHONY: test-release
test-release: $(BINARY) ## Build releases, run them on emulated processors and musl, test every installation method
	CODEXLB_TEST_BINARY=$(CURDIR)/$(BINARY) $(BUN) scripts/test.ts test/release

.PHONY: clean
clean: ## Remove dist
	rm -rf dist

$(BINARY): node_modules/.ready $(SOURCES)
	$(BUN) scripts/compile.ts --out $(BINARY)

# --ignore-scripts: packages must not run scripts during the installation.
node_modules/.ready: .tools/.ready package.json bun.lock
	$(BUN) install --frozen-lockfile --ignore-scripts
	@touch $@

.tools/.ready: scripts/get-bun.mjs scripts/bun-runtime.mjs scripts/bun-runtimes.json
	node scripts/get-bun.mjs
	@touch $@
