# Every target is one plain command; make is a convenience, never needed.

N ?= 200000

.PHONY: help check generate long staticcheck race matrix cross mutants mutants-part fuzz bench bench-live peers pgo bench-smoke golden reproduce atlas

help: ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 14

check: ## vet and the tests of each save
	go vet ./... && go test ./...

generate: ## keys_doc.go of every package, from the comments above its keys
	go generate .

long: ## all tests, with all that they can try (CONTRIBUTING.md has what and how long)
	FLYBALL_LONG=1 go test -timeout 60m ./...

staticcheck: ## the linter, pinned
	go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

race: ## tests of what has goroutines, under the race detector (needs a C compiler)
	CGO_ENABLED=1 go test -race -run 'Replicate|Sweep|Batch|Shelf|Servers|Sending' ./sim
	CGO_ENABLED=1 go test -race -run 'TestFigures|SameByteForByte' ./reports/run
	CGO_ENABLED=1 go test -race -run 'SameForAnyWorkers|PanicsArePassedOn' ./sim/verify
	CGO_ENABLED=1 go test -race ./scenarios/study ./sim/tune ./farm ./bus/...
	CGO_ENABLED=1 go test -race -short -skip 'AgainstMailServers|MailThatServersReturn' ./realrun/...
	CGO_ENABLED=1 go test -race -skip FeasiblePlansAreInTime ./cmd/flyball/internal/...
	CGO_ENABLED=1 go test -race -run 'Signal|GoOn|TestControl|Scripts/sweep' ./cmd/flyball

# GOAMD64=v1 is what the compiler takes by itself: go test ./... has it.
matrix: ## the same golden traces on other processors, core counts and collectors (needs qemu-user)
	GOAMD64=v3 go test -count=1 -run Golden -pgo=$(CURDIR)/cmd/flyball/default.pgo ./sim
	FLYBALL_SWARM=5 GOMAXPROCS=1 go test -count=1 -shuffle=on ./sim
	GOMAXPROCS=8 go test -count=1 -run 'Golden|Replicate|Sweep|Batch|Shelf|Servers|Sending' ./sim
	GOGC=1 go test -count=1 -run Golden ./sim
	GOARCH=arm64 go test -count=1 -run Golden -exec qemu-aarch64 ./sim
	GOARCH=arm64 go test -count=1 -run Golden -exec qemu-aarch64 -pgo=$(CURDIR)/cmd/flyball/default.pgo ./sim

cross: ## all but what needs a database or a broker builds for macOS (these take minutes); for Windows it does not
	GOOS=darwin GOARCH=arm64 go build ./engine/... ./governor/... ./internal/... ./netmodel/... ./realrun/... \
		./reports/... ./scenarios/... ./sim/...

mutants: ## plant mistakes, one at a time, and see each one caught
	FLYBALL_MUTANTS=1 go test -count=1 -timeout 60m -run 'TestMutants$$' -v .

mutants-part: ## as many of them as eight minutes allow, in an order that FLYBALL_SEED chooses
	FLYBALL_MUTANTS=part go test -count=1 -timeout 30m -run 'TestMutants$$' -v .

# Inputs are counted: a time limit can end in "context deadline exceeded" (go.dev/issue/75804).
fuzz: ## every fuzz target with N=200000 inputs each
	go test ./scenarios -run '^$$' -fuzz '^FuzzLoad$$' -fuzztime $(N)x -fuzzminimizetime 10x
	go test ./internal/tomlfile -run '^$$' -fuzz '^FuzzTree$$' -fuzztime $(N)x -fuzzminimizetime 10x
	go test ./internal/csvfile -run '^$$' -fuzz '^FuzzReader$$' -fuzztime $(N)x -fuzzminimizetime 10x
	go test ./internal/list -run '^$$' -fuzz '^FuzzRead$$' -fuzztime $(N)x -fuzzminimizetime 10x
	go test ./realrun/message -run '^$$' -fuzz '^FuzzRender$$' -fuzztime $(N)x -fuzzminimizetime 10x
	go test ./realrun/message -run '^$$' -fuzz '^FuzzHTML$$' -fuzztime $(N)x -fuzzminimizetime 10x
	go test ./realrun/message -run '^$$' -fuzz '^FuzzMarkup$$' -fuzztime $(N)x -fuzzminimizetime 10x
	go test ./realrun/message -run '^$$' -fuzz '^FuzzCounted$$' -fuzztime $(N)x -fuzzminimizetime 10x
	go test ./internal/mail -run '^$$' -fuzz '^FuzzParseAddress$$' -fuzztime $(N)x -fuzzminimizetime 10x
	go test ./internal/mail -run '^$$' -fuzz '^FuzzParseTicket$$' -fuzztime $(N)x -fuzzminimizetime 10x
	go test ./internal/mail -run '^$$' -fuzz '^FuzzParseVERP$$' -fuzztime $(N)x -fuzzminimizetime 10x
	go test ./realrun/names -run '^$$' -fuzz '^FuzzAnswer$$' -fuzztime $(N)x -fuzzminimizetime 10x
	go test ./realrun/wire -run '^$$' -fuzz '^FuzzReply$$' -fuzztime $(N)x -fuzzminimizetime 10x
	go test ./realrun/wire -run '^$$' -fuzz '^FuzzBody$$' -fuzztime $(N)x -fuzzminimizetime 10x
	go test ./realrun/journal -run '^$$' -fuzz '^FuzzRead$$' -fuzztime $(N)x -fuzzminimizetime 10x
	go test ./realrun/journal -run '^$$' -fuzz '^FuzzEntry$$' -fuzztime $(N)x -fuzzminimizetime 10x
	go test ./realrun -run '^$$' -fuzz '^FuzzReplay$$' -fuzztime $(N)x -fuzzminimizetime 10x
	go test ./internal/returned -run '^$$' -fuzz '^FuzzRead$$' -fuzztime $(N)x -fuzzminimizetime 10x
	go test ./realrun/inbound -run '^$$' -fuzz '^FuzzSession$$' -fuzztime $(N)x -fuzzminimizetime 10x
	go test ./realrun/requests -run '^$$' -fuzz '^FuzzSession$$' -fuzztime $(N)x -fuzzminimizetime 10x
	go test ./realrun/response -run '^$$' -fuzz '^FuzzRequest$$' -fuzztime $(N)x -fuzzminimizetime 10x
	go test ./realrun/hybrid -run '^$$' -fuzz '^FuzzSession$$' -fuzztime $(N)x -fuzzminimizetime 10x
	go test ./realrun/hybrid -run '^$$' -fuzz '^FuzzRequest$$' -fuzztime $(N)x -fuzzminimizetime 10x
	go test ./internal/fault -run '^$$' -fuzz '^FuzzParse$$' -fuzztime $(N)x -fuzzminimizetime 10x
	go test ./sim/faulty -run '^$$' -fuzz '^FuzzReadAnswer$$' -fuzztime $(N)x -fuzzminimizetime 10x
	go test ./realrun/sink -run '^$$' -fuzz '^FuzzCommands$$' -fuzztime $(N)x -fuzzminimizetime 10x
	go test ./realrun/depot -run '^$$' -fuzz '^FuzzManifest$$' -fuzztime $(N)x -fuzzminimizetime 10x
	go test ./farm -run '^$$' -fuzz '^FuzzMessages$$' -fuzztime $(N)x -fuzzminimizetime 10x
	go test ./site -run '^$$' -fuzz '^FuzzLoad$$' -fuzztime $(N)x -fuzzminimizetime 10x
	go test ./engine/codec -run '^$$' -fuzz '^FuzzDecode$$' -fuzztime $(N)x -fuzzminimizetime 10x

bench: ## benchmarks, ten times, into bench.txt for benchstat
	go test -run '^$$' -bench . -count 10 ./... | tee bench.txt

bench-live: ## runs with a journal, and the client alone, beside Postfix's smtp-source, into smtp-sink, in one run (wants a free machine)
	FLYBALL_BENCH_LIVE=1 go test ./realrun -count=1 -run TestBenchLive -v

peers: ## the yardsticks on flyball, ns-3 and SimPy, in one run on this machine
	sim/bench/peers/run.sh

pgo: ## a new profile for the compiler, of the benchmarks of whole attempts
	go test -run '^$$' -bench Attempts -benchtime 4s -cpuprofile $(CURDIR)/cmd/flyball/default.pgo -o /dev/null ./sim

# Only what has benchmarks is linked: that is most of the time.
bench-smoke: ## every benchmark once, so that none rots
	go test -run '^$$' -bench . -benchtime 1x $$(git grep -l '^func Benchmark' -- '*_test.go' | sed 's,[^/]*$$,,; s,^,./,' | sort -u)

golden: ## rewrite all expected outputs; review the diff as code
	go test ./engine/delivery ./sim/crash -run 'Script|Story' -rewrite && go test ./sim -run Golden -update && go test ./scenarios ./internal/list -update && go test ./cmd/flyball -args -update

reproduce: ## every figure and table of README and docs again, compared with the committed ones
	docs/reproduce.sh

atlas: ## docs/atlas.md again: two studies, four to eleven minutes of processor time; the text complains if the numbers say otherwise
	go run ./cmd/flyball sweep -q docs/studies/atlas-capacity.toml --out runs/atlas-capacity
	go run ./cmd/flyball sweep -q docs/studies/atlas.toml --out runs/atlas
	cp runs/atlas/choice.csv docs/atlas/choice.csv
	cp runs/atlas-capacity/plots/rate_per_h.csv docs/atlas/capacity.csv
	cp runs/atlas-capacity/plots/rate_per_h.svg docs/img/atlas-capacity.svg
	for f in choice regret classes cost attempts peak; do cp runs/atlas/plots/$$f.svg docs/img/atlas-$$f.svg || exit 1; done
	go test ./docs -update
