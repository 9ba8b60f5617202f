# The one way in. Everything is built in release, tests too, so that one set of build products serves all.
SWIFT := $(shell command -v swift || echo /opt/swift/usr/bin/swift)
export SWIFT

.PHONY: build run test test-emulated bench bench-curves bench-peers proofs lint format docs faults packages clean

build: packages        ## the command line: .build/release/decant
	$(SWIFT) build -c release --product decant

run: build             ## all three stages on a small example, from nothing to a distilled model
	scripts/quickstart

test: packages         ## every test; those that want real models are skipped where DECANT_SHARED is not there
	scripts/check-arrows
	scripts/check-size
	scripts/test

test-emulated: packages ## every test, on kernels for AVX-512 compiled for AVX2
	scripts/test-emulated

bench: packages        ## the benchmarks, then the growth curves (unless BENCH_CURVES=0)
	$(SWIFT) build -c release --product bench
	.build/release/bench
	.build/release/bench --repeat 1 step | grep "peak memory" # in a process of its own
	[ "$(BENCH_CURVES)" = 0 ] || .build/release/bench curves

bench-curves: packages ## the growth curves alone, into docs/bench
	$(SWIFT) build -c release --product bench
	.build/release/bench curves

bench-peers: packages  ## the same work in PyTorch, side by side: one table with ratios and targets
	scripts/bench-peers

faults: build          ## kill -9 against every verb that writes, mutations against every parser
	scripts/faults

proofs: packages       ## effects that papers claim, where the truth is known, into docs/proofs.txt
	$(SWIFT) build -c release --product proofs
	.build/release/proofs docs/proofs.txt

lint:                  ## formatting, as .swift-format says
	$(SWIFT) format lint --strict --parallel --recursive Package.swift Sources Tests

format:                ## puts the formatting right
	$(SWIFT) format --in-place --parallel --recursive Package.swift Sources Tests

docs: packages         ## the reference of every room, as HTML under .build/docs
	scripts/docs

packages:
	@scripts/install-packages

clean:
	rm -rf .build
