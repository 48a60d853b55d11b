# SPDX-License-Identifier: GPL-2.0
#
# One metric, pair by pair: reads what a guest recorded (pair, arm, key, value)
# and prints pair, reference, ours and the pair's figure. The values of a pair's
# rounds are added up. Fails where a value is missing.

# A tick of Debian's kernels, HZ=250.
BEGIN { FS = OFS = "\t"; CONVFMT = OFMT = "%.12g"; TICK_US = 4000; REMOTE_LEAST = 1e4 }

{ value[$1, $2, $3] += $4; if ($1 > pairs) pairs = $1 }

function get(arm, key) {
	if (!((pair, arm, key) in value)) {
		printf "bench: pair %d has no %s of the %s arm\n", pair, key, arm >"/dev/stderr"
		exit 1
	}
	return value[pair, arm, key] + 0
}

# A count that divides: too small a ratio is better than none.
function some(count) { return count < 1 ? 1 : count }

function ratio(key) {
	a = get("stock", key); b = get("pvx", key); x = b / some(a)
}

function give_up(why) {
	printf "bench: pair %d: %s\n", pair, why >"/dev/stderr"
	exit 1
}

# What writes take that are no faults is no stall. Stock's, since a worker may be copying yet
# when the parent is through in our arm.
function stall(order,   writes) {
	writes = get("stock", "again_us_" order)
	a = get("stock", "parent_us_" order) - writes
	b = get("pvx", "parent_us_" order) - writes
	if (a < writes)
		give_up("stock hardly stalls")
	if (b < 0)
		b = 0
	x = b / some(a)
}

# Of what is counted in the stock arm there must be some, or nothing was counted.
function counted(key) {
	ratio(key)
	if (a < 1)
		give_up("no " key " in the stock arm")
}

# What remains when less than a hundredth of the accesses is remote is no difference.
function remote(key) {
	a = get("stock", key); b = get("pvx", key)
	x = (b > REMOTE_LEAST ? b : REMOTE_LEAST) / (a > REMOTE_LEAST ? a : REMOTE_LEAST)
}

function faster(key) {
	a = get("stock", key); b = get("pvx", key); x = b > 0 ? a / b : 0
}

# No long wait in the stock arm counts as one, and none in either as no gain.
function long_wait_share_ratio(   sw, pw, so, po) {
	sw = get("stock", "long_waits"); so = some(get("stock", "ops"))
	pw = get("pvx", "long_waits"); po = some(get("pvx", "ops"))
	a = sw / so; b = pw / po
	x = sw + pw == 0 ? 1 : b / (some(sw) / so)
}

function fairness() {
	a = get("stock", "slowest") / some(get("stock", "fastest"))
	x = b = get("pvx", "slowest") / some(get("pvx", "fastest"))
}

# Each phase is as good as the other, however much is counted in it.
function phases() {
	a = sqrt(get("stock", "ops") * some(get("stock", "found")))
	b = sqrt(get("pvx", "ops") * some(get("pvx", "found")))
	x = b / some(a)
}

END {
	for (pair = 1; pair <= pairs; pair++) {
		if (metric == "ops_ratio") ratio("ops_per_s")
		else if (metric == "paced_ratio") ratio("paced_ppm")
		else if (metric == "long_wait_share_ratio") long_wait_share_ratio()
		else if (metric == "fairness") fairness()
		else if (metric == "yields_reached") {
			a = get("pvx", "yields"); b = get("pvx", "boosted")
			x = b / some(a)
		} else if (metric ~ /^first_later_/) {
			key = "first_us_" substr(metric, length("first_later_") + 1)
			a = get("stock", key); b = get("pvx", key)
			x = (b - a) / TICK_US
		} else if (metric == "timeouts") {
			# Nothing is lost on the path, so all are spurious.
			a = get("stock", "timeouts") + get("stock", "found_spurious")
			b = get("pvx", "timeouts") + get("pvx", "found_spurious")
			x = b / some(a)
		} else if (metric == "scanned_per_merged") {
			a = get("stock", "scanned") / some(get("stock", "sharing"))
			b = get("pvx", "scanned") / some(get("pvx", "sharing"))
			x = b / a
		} else if (metric == "merged_of_equal") {
			a = get("pvx", "equal"); b = get("pvx", "merged")
			x = b / some(a)
		} else if (metric == "exits_per_1000") {
			a = get("pvx", "announced"); b = get("pvx", "calls")
			x = 1000 * b / some(a)
		} else if (metric == "calls_per_1000") {
			a = get("pvx", "by_host"); b = get("pvx", "calls")
			if (a < 0.9 * get("pvx", "pages"))
				give_up("the host did not copy")
			x = 1000 * b / some(a)
		} else if (metric ~ /^stall_/) stall(substr(metric, length("stall_") + 1))
		else if (metric ~ /^model_/) {
			key = "speedup_" substr(metric, length("model_") + 1)
			a = get("stock", key); b = get("pvx", key)
			if (b <= 0)
				give_up("nothing was gained")
			x = a / b
		} else if (metric ~ /^(engaged|crowded|cpus_ms|memory_ms|follow_ms|calls|idle_calls|decisions|of_host|missed|per_s)$/) {
			a = 0; x = b = get("pvx", metric)
		} else if (metric == "nop_over_vapic") {
			a = get("pvx", "vapic_ns"); b = get("pvx", "nop_ns")
			x = b / some(a)
		} else if (metric == "hook_over_stock") ratio("vapic_ns")
		else if (metric == "hackbench") faster("hackbench")
		else if (metric == "both_speedup") faster("both_us")
		else if (metric == "fork_us" && (pair, "stock", "fork_us_up") in value) ratio("fork_us_up")
		else if (metric ~ /^(parent_faults|nested_faults|exits|idle_exits)$/) counted(metric)
		else if (metric ~ /^remote_/) remote(metric)
		else if (metric == "phases") phases()
		else if (metric == "flood") ratio("per_s")
		else if (metric == "work") ratio("ops")
		else if (metric == "overfull") {
			a = get("stock", metric) / 1000
			x = b = get("pvx", metric) / 1000
		} else ratio(metric)
		print pair, a, b, x
	}
}
