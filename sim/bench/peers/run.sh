#!/usr/bin/env bash
# The yardsticks of README.md on flyball and on its peers, on this machine, now.
#
#   run.sh [DIR]    DIR keeps what is built and measured; without it, a new
#                   temporary one. ROUNDS=5 and EVENTS=1000000 may be set.
#
# An engine that cannot be had is named in the table with the reason. Exits with
# 1 if two engines print different hashes of one replay.
set -euo pipefail
cd "$(dirname "$0")"
rounds=${ROUNDS:-5}
events=${EVENTS:-1000000}
out=$(realpath -m "${1:-$(mktemp -d)}")
mkdir -p "$out"
results=$out/results.jsonl
: >"$results"
: >"$out/schedulers.jsonl"
python=/usr/bin/python3

step() { printf '\n== %s\n' "$*" >&2; }

step "tools: a C++ compiler, ns-3, SimPy"
missing=()
command -v g++ >/dev/null || missing+=(g++)
[ -e /usr/include/ns3/core-module.h ] || missing+=(libns3-dev)
[ -x $python ] || missing+=(python3)
$python -c 'import simpy; simpy.Environment' 2>/dev/null || missing+=(python3-simpy3)
if [ ${#missing[@]} -gt 0 ]; then
	export DEBIAN_FRONTEND=noninteractive
	{ apt-get update -q && apt-get install -q -y --no-install-recommends "${missing[@]}"; } >&2 ||
		echo "could not install ${missing[*]}" >&2
fi

step "build, in $out"
(cd ../../.. && go build -o "$out/flyball" ./cmd/flyball) || rm -f "$out/flyball"
version=$(dpkg-query -W -f '${Version}' libns3-dev 2>/dev/null | cut -d- -f1) || true
g++ -std=c++17 -O3 -Wall -Wextra -DNS3_VERSION="\"$version\"" ns3.cc -lns3-core -o "$out/ns3" || rm -f "$out/ns3"
$python -B -m doctest replay.py

step "replay files"
for n in 200 10000; do
	$python -B replay.py write --population $n --events "$events" --seed 1 --file "$out/replay-$n"
done

# measure NAME BENCH POPULATION COMMAND...: runs it and keeps its lines of JSON,
# or the reason why there are none.
measure() {
	local name=$1 bench=$2 population=$3 why="not built"
	shift 3
	if [ -x "$1" ]; then
		if "$@" 2>"$out/said" >"$out/lines" && grep '^{' "$out/lines" >>"$results"; then
			return
		fi
		why=$(tail -n 1 "$out/said" | tr -cd '[:alnum:] .,:_/-')
	fi
	printf '{"engine":"%s","bench":"%s","population":%d,"missing":"%s"}\n' \
		"$name" "$bench" "$population" "${why:-printed no JSON}" >>"$results"
}

# engine NAME BENCH POPULATION: one measured run. SimPy does a tenth of the
# events, but for a replay, whose hash is of all of them.
engine() {
	local name=$1 bench=$2 population=$3 few=$((events / 10))
	local args=(--population "$population")
	if [ "$bench" = replay ]; then
		args+=(--file "$out/replay-$population")
		few=$events
	fi
	case $name in
	flyball) measure "$name" "$bench" "$population" "$out/flyball" bench "$bench" "${args[@]}" --events "$events" --json ;;
	ns-3*) measure "$name" "$bench" "$population" "$out/ns3" --bench "$bench" "${args[@]}" --events "$events" --runs 1 \
		--form "${name#* }" --scheduler "${best[$name $bench $population]}" ;;
	SimPy*) measure "$name" "$bench" "$population" $python -B simpy_bench.py --bench "$bench" "${args[@]}" --events "$few" --runs 1 --form "${name#* }" ;;
	esac
}

cases=("hold 200" "hold 10000" "hold-ns3 100000" "phold 200" "phold 10000" "replay 200" "replay 10000")
engines=(flyball "ns-3 simulator" "ns-3 reuse" "ns-3 queue" "SimPy process" "SimPy callback")

step "the best of ns-3's schedulers for each case"
declare -A best
for entry in "${cases[@]}"; do
	read -r bench population <<<"$entry"
	for form in simulator reuse queue; do
		best["ns-3 $form $bench $population"]=$(
			"$out/ns3" --bench "$bench" --population "$population" --events $((events / 10)) --runs 3 \
				--form "$form" --scheduler all --file "$out/replay-$population" 2>/dev/null |
				tee -a "$out/schedulers.jsonl" | $python -B table.py best
		) || true
	done
done

for ((round = 0; round < rounds; round++)); do
	step "round $((round + 1)) of $rounds"
	for entry in "${cases[@]}"; do
		read -r bench population <<<"$entry"
		for i in "${!engines[@]}"; do
			name=${engines[(i + round) % ${#engines[@]}]}
			[[ $bench == hold-ns3 && $name == SimPy* ]] || engine "$name" "$bench" "$population"
		done
	done
done
for n in 200 10000; do
	measure reference replay $n $python -B replay.py --bench replay --population $n --events "$events" --runs 1 --file "$out/replay-$n"
done

step "results, also in $results"
grep -m 1 'model name' /proc/cpuinfo || true
$python -B table.py <"$results"
