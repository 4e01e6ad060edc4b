# Makes the tables of docs/partitioning.md from points.csv of docs/studies/partitions.toml, or with own not empty of
# docs/studies/partitions-own.toml.
BEGIN { FS = "," }
NR == 1 {
	for (i = 1; i <= NF; i++) at[$i] = i
	distance = at["network.distance[0].extra_rtt"]; servers = at["servers"]; death = at["death"]
	cap = at["destination[provider].cap"]
	next
}
{
	s = $(at["sender.partition"]); kind = (death && $death != "none" ? "dead" : "alive") $cap
	w = $distance FS $servers FS (death ? $death : "none") FS $cap
	p[w, s] = $(at["time_to_final_p95_h"])
	if (!(s in seen)) { seen[s] = 1; order[++n] = s }
	if (!(w in kinds)) { kinds[w] = kind; worlds[++k] = w }
}
function column(kind) { printf " %.2f |", exp(sum[kind] / num[kind]) }
END {
	if (own) print "| Strategy | cap 100 | cap 30 | cap 10 |\n|---|---|---|---|"
	else {
		print "| Strategy | best or within 2 % | no death, no cap | no death, cap 100 | no death, cap 30 | no death, cap 10 | a death, no cap | slower than random by 10 % or more |"
		print "|---|---|---|---|---|---|---|---|"
	}
	for (i = 1; i <= n; i++) {
		s = order[i]; best = slow = 0
		delete sum; delete num
		for (j = 1; j <= k; j++) {
			w = worlds[j]; least = p[w, s]
			for (o = 1; o <= n; o++) if (p[w, order[o]] < least) least = p[w, order[o]]
			if (p[w, s] <= 1.02 * least) best++
			if (p[w, s] >= 1.1 * p[w, "random"]) slow++
			sum[kinds[w]] += log(p[w, s] / p[w, "random"]); num[kinds[w]]++
		}
		printf "| `%s` |", s
		if (!own) { printf " %d of %d |", best, k; column("alive0") }
		column("alive100"); column("alive30"); column("alive10")
		if (!own) { column("dead0"); printf " %d |", slow }
		print ""
	}
}
