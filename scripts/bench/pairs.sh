# SPDX-License-Identifier: GPL-2.0
#
# Pairs that an attempt before this one has measured count; see --keep of the laboratory.
# Sourced; $raw gets a line per value: pair, arm, key, value.

end_pair() { # PAIR
	printf '%s\tboth\tdone\t1\n' "$1" >>"$raw"
}

# The pair that is next. Of one that was not ended nothing is kept.
next_pair() {
	local next
	touch "$raw"
	next=$(awk -F'\t' '$3 == "done" { n = $1 } END { print n + 1 }' "$raw")
	awk -F'\t' -v next_="$next" 'next_ > 1 && $1 < next_' "$raw" >"$raw.new" && mv "$raw.new" "$raw"
	echo "$next"
}
