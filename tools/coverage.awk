# Prints the statement coverage of each package in a Go cover profile, and fails when one is below -v floor=PERCENT.
# A block stands in the profile once for each test binary; it is covered when one of them has reached it.
FNR > 1 {
	statements[$1] = $2
	if ($3 > 0) reached[$1] = 1
}
END {
	for (block in statements) {
		name = block
		sub(/\/[^\/]*$/, "", name)
		total[name] += statements[block]
		if (block in reached) covered[name] += statements[block]
	}
	for (name in total) {
		percent = 100 * covered[name] / total[name]
		low = percent < floor
		failed = failed || low
		printf "%-40s %5.1f %%%s\n", name, percent, low ? "  below " floor " %" : ""
	}
	exit failed
}
