# What there is to do. Each target installs or builds what it needs first, as root, or prints the line that does.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.NOTPARALLEL:
.PHONY: help demo test chaos check crds bench cluster clean

help: ## Show this list
	@sed -nE 's/^([a-z]+):.*## (.*)/make \1	\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: ## Watch it work on a real Kubernetes, in a minute; as root in real pods, too; KEEP=1 leaves the first part running
	@tests/prepare demo
	@tests/demo/demo $(if $(KEEP),--keep)
	@if [ "$$(id -u)" = 0 ] && [ -z "$(KEEP)" ]; then tests/prepare test; tests/demo/pods; tests/demo/leases; fi

test: ## Run every level of the tests: the model, values, every measured client, a real cluster, a real node, a minute of chaos; with CI=true the demos and a minute of fuzzing, too
	@tests/prepare test
	cargo test --locked --release --no-default-features --test model -- --nocapture --test-threads=1
	PATH="$$(tests/cluster/cluster bin):$$PATH" cargo test --locked --no-fail-fast
	$(if $(CI),tests/demo/demo && tests/demo/pods && tests/demo/leases)
	$(if $(CI),tests/fuzz/run 60)

chaos: ## Let everything happen to a cluster for ten minutes, under judges, as root; SEED=N repeats an order, CHAOS_SECONDS=N says how long
	@tests/prepare test
	SEED=$${SEED:-$$RANDOM} CHAOS_SECONDS=$${CHAOS_SECONDS:-600} PATH="$$(tests/cluster/cluster bin):$$PATH" \
	cargo test --locked --test chaos -- --nocapture

check: ## Check format, lints, documentation, dependencies, generated files and scripts
	@tests/prepare check
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --bench granting -- -D warnings # it runs by itself, so --all-targets leaves it out
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items
	@echo "# the core alone, which depends on nothing"
	cargo build --locked --lib --no-default-features
	diff <(cargo tree --locked --no-default-features -e normal --prefix none | cut -d' ' -f1) <(echo dbbudget)
	@echo "# what enters the dependency tree"
	cargo deny --locked check bans licenses sources
	@if timeout 60 cargo deny --locked fetch db 2>/dev/null; then cargo deny --locked check --disable-fetch advisories; \
	else echo "ADVISORIES NOT CHECKED: the database of rustsec.org cannot be reached from here"; fi
	@echo "# what is made of other files is what they say; if not: make crds"
	@fresh=$$(mktemp -d); PATH="$$(tests/cluster/cluster bin helm):$$PATH" deploy/generate $$fresh; \
	for made in $$(cd $$fresh && find . -type f); do diff $$made $$fresh/$$made; done; rm -r $$fresh
	@echo "# the chart, in each way that it may be installed"
	PATH="$$(tests/cluster/cluster bin helm):$$PATH" deploy/lint
	shellcheck --check-sourced $$(grep -rlE --exclude-dir=target '^#!.*bash' .ci deploy tests)

crds: ## Write crds/ from the types in src/api, and what is made of them and of the chart
	PATH="$$(tests/cluster/cluster bin helm):$$PATH" deploy/generate .

bench: ## Measure dividing, planning, a cluster of 5000 pods, and granting to 10 000
	@tests/prepare cluster
	cargo bench --locked
	tests/bench/kwok
	tests/bench/granting/run

cluster: ## Start a real Kubernetes on this machine and say how to use it
	@tests/prepare cluster
	@tests/cluster/cluster up >/dev/null
	@if [ "$$(id -u)" = 0 ]; then tests/cluster/cluster node; else tests/cluster/cluster kwok 1; fi
	@echo
	@echo 'To use it:   eval "$$(tests/cluster/cluster env)" && kubectl apply -f crds && kubectl get nodes'
	@echo 'To stop it:  tests/cluster/cluster down'

clean: ## Stop the cluster of `make cluster` and delete what was compiled here; ~/.cache/dbbudget stays
	tests/cluster/cluster down
	cargo clean
