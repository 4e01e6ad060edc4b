#!/usr/bin/env bash
# Makes every figure and table of the README and of docs/ again, from the code,
# and compares them with the committed ones: exit code 1 if anything differs.
#
#   docs/reproduce.sh            compare
#   docs/reproduce.sh --update   take what was made; review the diff as code
#
# Not made here, as each takes longer than all of it: docs/results/mutants.txt,
# the table that make mutants prints, docs/results/coverage.txt, whose command
# docs/statistics.md has, docs/studies/retries.csv, whose command
# docs/retries.md has, and the scenario billion, whose figures docs/performance.md
# has.
#
# Nothing in it depends on the machine but the last digits of floating-point
# numbers on other processor families; digests of runs do not.
set -euo pipefail
export LC_ALL=C NO_COLOR=1
cd "$(dirname "$0")/.."

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
new=$tmp/new # laid out like the repository
mkdir -p "$new/docs/img" "$new/docs/results"
go build -o "$tmp/flyball" ./cmd/flyball
flyball() { "$tmp/flyball" -q "$@"; }

# The answer of a run is its second paragraph, the verdict the first sentence
# of that; a sentence begins on a line of its own.
answer() { awk -v RS= 'NR == 2' "$1"; }
verdict() { answer "$1" | awk '{ printf "%s%s", sep, $0; sep = " " } /[.]$/ { exit } END { print "" }'; }

# One file for each built-in scenario, and a line for each in results.md and
# digests.txt.
page=$new/docs/results.md
cat > "$page" <<'END'
# Results of the built-in scenarios

Made by `make reproduce`, not written by hand. Each line is one run, or for a steady state twenty, a claim about
[the model](model.md); how much luck moves a single run is shown by `flyball run SCENARIO --replications 20`. The whole output is
behind the name. Whether the simulator computes its model rightly is another question: `flyball verify` holds it against
[models with known answers](results/verify.txt), and `make mutants` plants [mistakes](results/mutants.txt) and sees them caught.

| Scenario | Answer | Seed | Digest | Again |
|---|---|---|---|---|
END
names=$("$tmp/flyball" scenario list --json | sed -n 's/^ *"name": "\([^"]*\)".*/\1/p' | grep -vx billion)
for name in $names; do
	text=$new/docs/results/$name.txt
	more=()
	if "$tmp/flyball" scenario show "$name" | grep -q '^kind = "steady-state"'; then more=(--replications 20); fi
	flyball run "$name" "${more[@]}" --out "$tmp/runs/$name" | sed '/^Folder: /d' > "$text"
	read -r seed digest id < <(sed -n 's/^Seed \([0-9]*\).*, digest \([0-9a-f]*\), scenario \([0-9a-f]*\)$/\1 \2 \3/p' "$text")
	again=$(sed -n 's/^Run it again: //p' "$text")
	echo "| [$name](results/$name.txt) | $(verdict "$text") | $seed | \`$digest\` | \`$again\` |" >> "$page"
	echo "$digest $id $(sha256sum < "$tmp/runs/$name/summary.json" | cut -c1-16) $name" >> "$new/docs/results/digests.txt"
done
cp "$tmp/runs/quickstart/plots/convergence.svg" "$new/docs/img/quickstart.svg"

# What an answer hangs on.
flyball run quickstart --sensitivity --out "$tmp/runs/sensitivity" > "$tmp/sensitivity.txt"
cp "$tmp/runs/sensitivity/plots/sensitivity.svg" "$new/docs/img/sensitivity.svg"
{
	printf '\nThe columns of [digests.txt](results/digests.txt) are the digest of the run, the scenario, the SHA-256 of `summary.json` and the name.\n'
	printf '\n## What the answer of the quickstart hangs on\n\n    %s\n\n' "$(sed -n 's/^Run it again: //p' "$tmp/sensitivity.txt")"
	answer "$tmp/sensitivity.txt" | sed -n '/^Sensitivity: /,$p'
	printf '\n![Each number halved and doubled, the greatest effect on top](img/sensitivity.svg)\n\n```\n'
	awk -v RS= '/^Sensitivity: [^,]* is / { print }' "$tmp/sensitivity.txt"
	printf '```\n'
} >> "$page"

# What a reply table does: the same night without one and with one, at two rates.
figure() { awk -v key="\"$2\":" '/^  "metrics": {/ { inside = 1 }
	inside && $1 == key { sub(/,$/, "", $2); print $2; exit }' "$tmp/runs/$1/summary.json"; }
{
	printf '\n## What a reply table does\n\n'
	printf 'The same consumer night, of 600,000 recipients over two servers, for a sender that goes by codes\n'
	printf '(`consumer-night`) and for one that reads replies (`reply-table`), at two targets of each server. The table\n'
	printf 'leaves a receiver alone for as long as its reply asks for, and returns to it with one connection.\n\n'
	printf '| Target, /h | Reply table | Delivered | Attempts refused | Attempts per delivery | 90 %% final, h | All final, h |\n'
	printf '|---|---|---|---|---|---|---|\n'
	for target in 60000 100000; do
		for name in consumer-night reply-table; do
			flyball run "$name" --set "governor.target=$target/h" --set 'expect=[]' --out "$tmp/runs/$name-$target" \
				> /dev/null
			awk -v target=$target -v name="$name" -v all="$(figure "$name-$target" recipients)" \
				-v delivered="$(figure "$name-$target" delivered)" -v pending="$(figure "$name-$target" pending)" \
				-v refused="$(figure "$name-$target" refused_share)" -v dfr="$(figure "$name-$target" dfr)" \
				-v t90="$(figure "$name-$target" t90_h)" -v end="$(figure "$name-$target" end_h)" 'BEGIN {
				printf "| %d | %s | %.1f %% | %.2f %% | %.2f | %s | %s |\n", target, (name == "reply-table" ? "yes" : "no"),
					100 * delivered / all, 100 * refused, dfr, (t90 == "null" ? "never" : sprintf("%.1f", t90)),
					(pending + 0 ? sprintf("not within %.0f", end) : sprintf("%.1f", end)) }'
		done
	done
} >> "$page"

# What a study shows.
flyball sweep docs/studies/step.toml --out "$tmp/runs/step" > /dev/null
cp "$tmp/runs/step/plots/classes.svg" "$new/docs/img/step-classes.svg"

# What a search finds, and what held-out luck says of it.
flyball tune docs/studies/tune-quickstart.toml --out "$tmp/runs/tuned" | sed '/^Folder: /d; /^Try it: /d' > "$new/docs/results/tune-quickstart.txt"
cp "$tmp/runs/tuned/plots/pareto.svg" "$new/docs/img/tune-pareto.svg"

# What plans find.
flyball plan overnight --deadline 01:00,04:00,06:00 > "$new/docs/results/plan-overnight.txt"
flyball plan overnight --deadline 04:00,"+6d 06:00" --warm-up young=2000+15%..20000 --replications 5 > "$new/docs/results/plan-warm-up.txt"

# The models with known answers.
"$tmp/flyball" verify -q > "$new/docs/results/verify.txt"

# Servers that stop at every point. The whole search takes minutes; any number of random runs finds the same.
flyball crash --quick > "$new/docs/results/crash.txt"

# What the README shows of the quickstart: the answer, and the governor's table
# without most of its rows.
quickstart=$new/docs/results/quickstart.txt
{
	answer "$quickstart"
	echo
	awk '/^Governor of / { shown = NR } shown && NR <= shown + 3' "$quickstart"
	echo "  ..."
	awk '/^ *1[24] +[0-9.]+ / && !/Seed/' "$quickstart"
} > "$tmp/excerpt"
awk -v excerpt="$tmp/excerpt" '
	/^```$/ && !done { print; inside = !inside
		if (inside) while ((getline line < excerpt) > 0) print line
		else done = 1
		next }
	!inside || done' README.md > "$new/README.md"

# The guide: each command of a console block is run in one folder, in order, and its
# output is shown as the sed script in the comment above the block leaves it.
guide() {
	local line command output script= inside=
	while IFS= read -r line; do
		case $line in
		'<!-- show: '*' -->') script=${line#<!-- show: } script=${script% -->} ;;
		'```console') inside=yes ;;
		'```') inside= ;;
		esac
		if [ -z "$inside" ] || [ "$line" = '```console' ]; then
			printf '%s\n' "$line"
		elif [ "${line:0:2}" = '$ ' ]; then
			printf '%s\n' "$line"
			command=${line:2}
			while [ "${line: -1}" = '\' ]; do
				IFS= read -r line
				printf '%s\n' "$line"
				command+=$'\n'$line
			done
			output=$(cd "$tmp/guide" && eval "$command" < /dev/null | sed "$script")
			printf '%s\n' "$output"
		fi
	done
}
mkdir "$tmp/guide"
guide < docs/guide.md > "$new/docs/guide.md"

# Strategies of partitions by worlds.
for study in partitions partitions-own; do
	flyball sweep "docs/studies/$study.toml" --out "$tmp/runs/$study" > /dev/null
	awk -v own="${study#partitions}" -f docs/studies/partitions.awk "$tmp/runs/$study/points.csv" > "$tmp/$study"
done
flyball sweep docs/studies/proximity.toml --out "$tmp/runs/proximity-study" > /dev/null
awk -f docs/studies/proximity.awk "$tmp/runs/proximity-study/points.csv" > "$tmp/proximity"
guide < docs/partitioning.md | awk -v tables="$tmp/" '
	/^<!-- end -->$/ { inside = 0 }
	!inside
	/^<!-- (partitions(-own)?|proximity) -->$/ { inside = 1; print ""; while ((getline line < (tables $2)) > 0) print line; print "" }' \
	> "$new/docs/partitioning.md"

if [ "${1-}" = --update ]; then
	find docs/results -type f ! -name mutants.txt ! -name coverage.txt -delete
	cp -r "$new/." .
	exit
fi
status=0
while read -r file; do
	cmp -s "$new/$file" "$file" && continue
	status=1
	echo "$file is not what the code makes now:"
	{ diff "$file" "$new/$file" || true; } | head -20
done < <(cd "$new" && find . -type f | sed 's|^\./||' | sort)
for file in docs/results/*; do
	[ -e "$new/$file" ] || [ "$file" = docs/results/mutants.txt ] || [ "$file" = docs/results/coverage.txt ] || { status=1; echo "$file is made by nothing"; }
done
[ $status = 0 ] && echo "every figure and table is as committed"
exit $status
