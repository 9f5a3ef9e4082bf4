# Thin on purpose: what takes thought is in scripts/ and xtask/. `make help` lists the targets.

# A newcomer's shell knows neither a fresh Rust nor where system programs are.
export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH):/usr/local/sbin:/usr/sbin:/sbin
TARGET := $(or $(CARGO_TARGET_DIR),target)
BINARY := $(TARGET)/release/femtosnitch
# The default database of countries, with its terms beside it (.LICENSE, .attribution).
GEOIP := $(TARGET)/share/femtosnitch/dbip-country

PREFIX ?= /usr/local
SYSCONFDIR ?= /etc

.DEFAULT_GOAL := build
.PHONY: help setup setup-test build run test test-unit test-web test-e2e test-vm lint bench lab fmt clean install

help: ## this list
	@sed -n 's/^\([a-z][a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: ## install what building needs
	@scripts/setup build

setup-test: ## install what building and testing need
	@scripts/setup test

build: setup ## target/release/femtosnitch with the dashboard, and the default database of countries
	@scripts/web build
	cargo build --release --package femtosnitch
	@scripts/geoip $(GEOIP).mmdb

run: build ## build, then watch this machine; ARGS="…" is handed over
	@scripts/run $(BINARY) $(ARGS)

# One after the other, cheapest first: each closes with a line of counts.
test: setup-test ## everything: lint, unit tests, end to end here and on other kernels
	@scripts/lint
	@scripts/web build
	@cargo xtask unit
	@scripts/web check
	@cargo xtask e2e
	@$(MAKE) --no-print-directory test-web
	@cargo xtask vm
	@echo "== all layers passed =="

test-unit: setup-test ## unit tests
	@cargo xtask unit

test-web: setup-test ## the dashboard in a real browser (root)
	@scripts/web build
	@cargo build --profile e2e --package femtosnitch
	@scripts/web browser $(TARGET)/e2e/femtosnitch

test-e2e: setup-test ## end to end on this kernel (root); ARGS="--filter NAME" chooses
	@cargo xtask e2e -- $(ARGS)

test-vm: setup-test ## end to end on other kernels in QEMU; KERNEL=6.1 or newest chooses, ARGS="--filter NAME" too
	@cargo xtask vm --kernel $(or $(KERNEL),all) -- $(ARGS)

lint: setup-test ## formats, lints, house rules, licences
	@scripts/lint

bench: setup-test ## what watching costs, as ratios; ARGS=--history: what the history does with 10 M rows; ARGS=--dashboard: how soon views have their data
	@cargo xtask bench $(ARGS)

lab: setup-test ## how exact it is, against nftables' counters (root); KERNEL=6.1, ARGS="--filter NAME"
	@cargo xtask lab $(if $(KERNEL),--kernel $(KERNEL)) -- $(ARGS)

fmt: setup-test ## lay out the source
	@scripts/fmt

clean: ## remove what was built (downloads stay in the user's cache)
	cargo clean

install: ## binary, database of countries, example config; PREFIX, SYSCONFDIR, DESTDIR. Run `make` first
	@test -x $(BINARY) || { echo "$(BINARY) is not built yet: run 'make' first"; exit 1; }
	install -Dm755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/femtosnitch
	@if test -e $(GEOIP).mmdb; then set -x; \
	install -Dm644 -t $(DESTDIR)$(PREFIX)/share/femtosnitch $(GEOIP).mmdb $(GEOIP).LICENSE $(GEOIP).attribution; \
	else echo "no database of countries was fetched: countries stay unknown until there is one (femtosnitch status tells)"; fi
	install -dm750 $(DESTDIR)$(SYSCONFDIR)/femtosnitch
	install -m640 packaging/config.toml $(DESTDIR)$(SYSCONFDIR)/femtosnitch/config.toml.example
