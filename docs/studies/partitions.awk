# Makes the table of docs/partitioning.md from points.csv of docs/studies/partitions.toml.
BEGIN { FS = "," }
NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
{
	s = $(at["sender.partition"]); w = $4 FS $5 FS $6 FS $7
	p[w, s] = $(at["time_to_final_p95_h"]); m[w, s] = $(at["time_to_final_p50_h"])
	if (!(s in seen)) { seen[s] = 1; order[++n] = s }
	if (!(w in known)) { known[w] = 1; worlds[++k] = w }
}
function ratio(a, b) { return log(a / b) }
END {
	print "| Strategy | best or within 2 % | no death, no cap | no death, cap 100 | no death, cap 10 | a death, no cap | slower than random by 10 % or more |"
	print "|---|---|---|---|---|---|---|"
	for (i = 1; i <= n; i++) {
		s = order[i]; best = slow = 0
		delete sum; delete num
		for (j = 1; j <= k; j++) {
			w = worlds[j]; split(w, v, FS)
			least = p[w, s]
			for (o = 1; o <= n; o++) if (p[w, order[o]] < least) least = p[w, order[o]]
			if (p[w, s] <= 1.02 * least) best++
			if (p[w, s] >= 1.1 * p[w, "random"]) slow++
			c = (v[3] == "none" ? "alive" : "dead") v[4]
			sum[c] += ratio(p[w, s], p[w, "random"]); num[c]++
		}
		printf "| `%s` | %d of %d | %.2f | %.2f | %.2f | %.2f | %d |\n", s, best, k, exp(sum["alive0"] / num["alive0"]), exp(sum["alive100"] / num["alive100"]), exp(sum["alive10"] / num["alive10"]), exp(sum["dead0"] / num["dead0"]), slow
	}
}
