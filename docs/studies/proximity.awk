# Makes the table of docs/partitioning.md from points.csv of docs/studies/proximity.toml: the time until 90 % of the
# fourth mailing are final / the same with servers at random.
BEGIN { FS = "," }
NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
{
	w = $(at["hops"]) FS $(at["attempts"]) FS $(at["campaign[first].recipients"]); s = $(at["strategy"])
	p[w, s] = $(at["t90_h:fourth"]) - 0.25 # its start
	if (!(w in known)) { known[w] = 1; worlds[++k] = w }
}
END {
	n = split("optimal delay hops delay-unprobed", order, " ")
	print "| Hops | Attempts | Recipients | `optimal` | `proximity` by delay | by hops | by delay, without probes |"
	print "|---|---|---|---|---|---|---|"
	for (i = 1; i <= k; i++) {
		split(worlds[i], v, FS)
		printf "| %s | %s | %d |", v[1], v[2], v[3]
		for (o = 1; o <= n; o++) printf " %.2f |", p[worlds[i], order[o]] / p[worlds[i], "random"]
		print ""
	}
}
