# SPDX-License-Identifier: GPL-2.0
#
# The benchmarks' common part: runs a case in the laboratory, makes figures and
# a plot of what comes back. Sourced, with $top set to the project's top.

export LC_ALL=C
bench_dir=$top/scripts/bench
lock_cases="4on2 4on2+load2 stretch 2on2 nopvspin hypercall apps"
timer_cases="tcp-host tcp-guests loss first rr"
ksm_cases="ksm-2 ksm-3 ksm-search"
fork_cases="fork-backed fork-fast fork-background fork-4k fork-huge fork-model fork-redis"
numa_cases="numa-2 numa-4 numa-balancing numa-compete numa-move numa-settled numa-flap numa-looks"
tune_cases="tune-phases tune-steady tune-off tune-top"

bench_tmp=$(mktemp -d "${TMPDIR:-/tmp}/pvx-bench.XXXXXX") || exit 1
trap 'rm -rf "$bench_tmp"' EXIT

die() { echo "bench: $1" >&2; exit "${2:-1}"; }
say() { echo "$*" >&2; }

# settings: what the environment may say; sets pairs and ms.
settings() { # default pairs
	pairs=${PAIRS:-$1} ms=${MS:-2000}
	[[ $pairs =~ ^[1-9][0-9]{0,3}$ ]] || die "PAIRS is a number from 1 to 9999, not '$pairs'" 2
	[[ $ms =~ ^[1-9][0-9]{2,5}$ ]] || die "MS is a number from 100 to 999999, not '$ms'" 2
}

kernel_name() {
	[[ $1 =~ ^[0-9][0-9A-Za-z.+~-]*$ ]] || die "KVER is a kernel version such as 6.12, not '$1'" 2
}

# What a make above us was told is none of this make's business.
our_make() { env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u KDIR make -j"$(nproc)" "$@"; }

# The modules, and what the cases run in the guests.
build() { # KVER LOG
	{
		our_make -C "$top" KVER="$1" modules tools && our_make -C "$top/selftests" all &&
			{ [ "$bench" != tune ] || our_make -C "$top" KVER="$1" TRACE=n modules; }
	} >"$2" 2>&1 && return
	tail -n 15 "$2" >&2
	die "kvm-pvx does not build for $1; the log is $2"
}

with_tcp=(--guest-cpus 1 --net bridge --modules pvx_guest
	--host-script "$top/selftests/timer/tcp-host.sh")

# What the search for candidates may take of a CPU, in all cases of KSM; why that much is in
# Documentation/testing.rst.
ksm_permille=800

# Guests that have files in common, and much that they do not, see host-ksm.sh. An arm is
# looked at till it saves no more, and for SECONDS at most.
with_ksm() { # GUESTS SECONDS
	guests=$1 window=$2
	host_script=host-ksm.sh writer=host per_pair=$((2 * window + 30))
	options=(--guests 0 --guest-cpus 1 --guest-mem 256 --host-mem $((1280 + 512 * guests))
		--modules pvx_host,pvx_host_ksm,pvx_guest)
}

with_fork=(--guest-cpus 2 --guest-mem 1400 --host-mem 2600 --modules pvx_host,pvx_host_fork,pvx_guest,pvx_guest_fork)
# Both arms copy alike, see there.
with_fork_alike=("${with_fork[@]}" --host-script "$bench_dir/host-fork-alike.sh")
# Whose memory the host does not back when it is first used, see host-fork.sh.
with_cold_fork() {
	host_script=host-fork.sh writer=host per_pair=90
	options=(--guests 0 --guest-cpus 2 --guest-mem 1400 --host-mem 2600
		--modules pvx_host,pvx_host_fork,pvx_guest)
}

with_tune=(--modules pvx_host,pvx_host_yield,pvx_host_ksm,pvx_guest,pvx_guest_lock,pvx_guest_ksm)

# Guests with memory on one node and vCPUs on the others, see host-numa.sh.
with_nodes() { # NODES CPUS SECONDS
	host_script=host-numa.sh writer=host per_pair=$3
	options=(--guests 0 --host-nodes "$1" --host-cpus "$2" --host-mem $((1024 + 512 * $1 + 256 * $2))
		--modules pvx_host,pvx_host_numa,pvx_guest)
}

# --- cases -------------------------------------------------------------------

# What a case runs: its title, the guest's script or the host's that starts the guests,
# which of them writes the figures, the laboratory's options, how often the arms take
# turns in a pair and how long an arm is measured in all of them, whether they wait for
# the hooks to be out, who guest 1 sends to, and about how many seconds a pair takes.
describe_case() {
	title=$1 script=guest-lock.sh host_script= writer=guest1 options=() guests=1
	rounds=1 length=$ms window=0 calm=no peer=host
	per_pair=$((2 * ms / 1000 + 8))
	case $1 in
	4on2)
		title="4 on 2"; rounds=2 length=$((rounds * ms)); per_pair=$((2 * per_pair));;
	4on2+load2)
		title="4 on 2, 2 busy loops"; options=(--host-load 2)
		rounds=2 length=$((rounds * ms)); per_pair=$((2 * per_pair));;
	# The laboratory's pace changes every few seconds by half, for both arms
	# alike: more of that than of their difference in these two.
	stretch)
		title="4 on 2, against 2 threads and nothing stolen"; rounds=10
		per_pair=$((per_pair + 15));;
	2on2)
		# Where hardly a difference is asked for, much has to be measured.
		title="2 on 2"; options=(--guest-cpus 2); rounds=10 length=$((rounds * ms)) calm=yes
		per_pair=$((2 * length / 1000 + 35));;
	nopvspin)
		# Stock may take long to come to an end.
		title="4 on 2, nopvspin"; options=(--guest-append nopvspin)
		per_pair=$((per_pair + 30));;
	hypercall)
		title="hypercalls"; script=guest-hypercall.sh per_pair=20
		options=(--guest-cpus 2 --modules pvx_host,pvx_host_yield,pvx_guest
			--host-script "$bench_dir/host-hypercall.sh");;
	apps)
		title="applications, 4 on 2"; script=guest-apps.sh per_pair=75
		options=(--guest-mem 768);;
	tcp-host)
		title="TCP to the host, bursts"; script=guest-tcp.sh rounds=2 per_pair=50
		options=("${with_tcp[@]}" --host-script "$bench_dir/host-tcp.sh");;
	tcp-guests)
		title="TCP to a guest, bursts"; script=guest-tcp.sh rounds=2 per_pair=50 peer=guest
		options=("${with_tcp[@]}" --guests 2);;
	loss)
		title="TCP with loss"; script=guest-loss.sh rounds=2 per_pair=50
		options=("${with_tcp[@]}");;
	first)
		title="TCP's first retransmission"; script=guest-loss.sh
		per_pair=40; options=("${with_tcp[@]}");;
	ksm-2)
		title="KSM, 2 guests"; with_ksm 2 180;;
	ksm-3)
		title="KSM, 3 guests"; with_ksm 3 270;;
	ksm-search)
		title="programs while candidates are searched for"; script=guest-search.sh per_pair=150
		rounds=32 options=(--guest-cpus 1 --modules pvx_host,pvx_host_ksm,pvx_guest);;
	fork-backed)
		title="fork and writes of both, memory backed" script=guest-fork.sh per_pair=15
		options=("${with_fork_alike[@]}");;
	fork-fast)
		title="the same, host copies as fast as it can" script=guest-fork.sh per_pair=15
		options=("${with_fork[@]}");;
	fork-background)
		title="writes of the parent after a fork" script=guest-fork.sh per_pair=45
		options=("${with_fork_alike[@]}");;
	fork-4k)
		title="fork and writes of both, 4 KiB pages not backed"; with_cold_fork;;
	fork-huge)
		title="fork and writes of both, huge pages not backed"; with_cold_fork;;
	fork-model)
		title="what the cost model predicts" script=guest-fork-model.sh per_pair=90
		options=("${with_fork_alike[@]}");;
	fork-redis)
		title="Redis while it saves" script=guest-fork-redis.sh per_pair=210
		options=("${with_fork_alike[@]}" --guest-mem 1800 --host-mem 3000);;
	numa-2)
		title="remote accesses, 2 nodes"; with_nodes 2 4 100;;
	numa-4)
		title="remote accesses, 4 nodes"; with_nodes 4 8 120;;
	numa-balancing)
		title="remote accesses, host's NUMA balancing on in stock"; with_nodes 2 4 100;;
	numa-compete)
		title="two guests that want one node"; with_nodes 2 4 120; options+=(--guest-cpus 2);;
	numa-move)
		title="local again after a move"; with_nodes 2 4 130;;
	numa-settled)
		title="calls and exits of a settled guest"; with_nodes 2 4 330;;
	numa-flap)
		title="decisions, processes change places"; with_nodes 2 4 120;;
	numa-looks)
		title="programs while it is looked what they use"; script=guest-numa.sh per_pair=300
		rounds=16 options=(--guest-cpus 2 --modules pvx_host,pvx_host_numa,pvx_guest);;
	tune-phases)
		title="a load that changes, tuned" script=guest-tune.sh length=$((20 * ms))
		per_pair=$((4 * length / 1000 + 20)) options=("${with_tune[@]}");;
	tune-steady)
		title="a steady load, tuned" script=guest-tune.sh length=$((60 * ms))
		per_pair=$((2 * length / 1000 + 10)) options=("${with_tune[@]}");;
	tune-off)
		title="hypercalls, tracepoints are off"; script=guest-hypercall.sh per_pair=20
		options=(--guest-cpus 2 --modules pvx_host,pvx_host_yield,pvx_guest
			--host-script "$bench_dir/host-hypercall.sh");;
	tune-top)
		title="pvxtop under a flood of hypercalls"; host_script=host-top.sh writer=host per_pair=110
		options=(--guests 0 --guest-cpus 2 --guest-mem 256 --modules pvx_host,pvx_host_yield,pvx_guest);;
	rr)
		title="TCP requests and responses"; script=guest-loss.sh
		per_pair=$((2 * ms / 1000 + 10)) rounds=5; options=("${with_tcp[@]}");;
	esac
}

with_settings() { # SCRIPT
	cat "$bench_tmp/settings"
	echo '. "$PVX_TOP/scripts/bench/'"$1"'"'
}

# run_lab KVER OUT: the laboratory's status; the guest's words are progress.
run_lab() {
	local kver=$1 out=$2 case=${2##*/} line timeout=$((3 * (60 + pairs * per_pair)))
	printf '%s=%q\n' PAIRS "$pairs" MS "$length" ROUNDS "$rounds" CALM "$calm" \
		PEER "$peer" CASE "$case" GUESTS "$guests" WINDOW "$window" PERMILLE "$ksm_permille" \
		>"$bench_tmp/settings"
	if [ -n "$host_script" ]; then
		with_settings "$host_script" >"$bench_tmp/host-script"
		options+=(--host-script "$bench_tmp/host-script")
	else
		with_settings "$script" >"$bench_tmp/guest-script"
		options+=(--guest-script "$bench_tmp/guest-script")
	fi
	# Those with TCP have more than that of each pair, for the plot.
	[[ $case == tcp-* ]] || options+=(--keep raw.tsv)
	say "$bench: $title: booting a host and a guest with $kver"
	"$top/scripts/lab/lab" run --kernel "$kver" --host-cpus 2 --guest-cpus 4 \
		"${options[@]}" --timeout $((timeout < 86400 ? timeout : 86400)) --out "$out" |
	while IFS= read -r line; do
		say "$bench: $title: $line"
	done
	return "${PIPESTATUS[0]}"
}

# --- figures -----------------------------------------------------------------

# Numbers, one a line, to "median min max".
spread() {
	sort -g | awk -v OFMT=%.12g '
	{ x[NR] = $1 }
	END {
		if (!NR)
			exit 1
		print (x[int((NR + 1) / 2)] + x[int(NR / 2) + 1]) / 2, x[1], x[NR]
	}'
}

# Directed yields and timeouts are rare in some pairs, so all pairs count
# together. What did not happen at all shows nothing: then the figure is NONE.
all_pairs_together() { # DATA NONE
	awk -v none="$2" '{ a += $2; b += $3 } END { print a ? b / a : none }' "$1"
}

# figure CASE METRIC DIRECTION BAR DATA: the figure as a line of JSON.
figure() {
	local value min max unit=ratio
	read -r value min max < <(cut -f 4 "$5" | spread) || return 1
	case $2 in
	yields_reached) value=$(all_pairs_together "$5" 0) unit=share;;
	timeouts) value=$(all_pairs_together "$5" 1);;
	first_later_*) unit=ticks;;
	fairness) unit=share;;
	engaged) unit=rounds;;
	exits_per_1000) unit=exits;;
	merged_of_equal|of_host) unit=share;;
	per_s) unit=calls;;
	calls_per_1000|calls|idle_calls) unit=calls;;
	*_ms) unit=ms;;
	crowded) value=$max unit=vcpus;;
	missed) value=$max unit=exits;;
	overfull) unit=share;;
	decisions) unit=decisions;;
	esac
	awk -v bench="$bench" -v case_="$1" -v metric="$2" -v dir="$3" -v bar="$4" \
	    -v value="$value" -v min="$min" -v max="$max" -v unit="$unit" -v pairs="$pairs" '
	BEGIN {
		pass = dir == ">=" ? value + 0 >= bar + 0 : value + 0 <= bar + 0
		value = sprintf("%.6f", value)
		printf "{\"bench\":\"%s\",\"case\":\"%s\",\"metric\":\"%s\",\"value\":%s,\"unit\":\"%s\",\"pairs\":%d,\"min\":%.6f,\"max\":%.6f,\"bar\":%s,\"pass\":%s}\n",
			bench, case_, metric, value, unit, pairs, min, max, bar, pass ? "true" : "false"
	}'
}

# field JSON-LINE KEY
field() { sed -n "s/.*\"$2\":\"\\{0,1\\}\\([^\",}]*\\).*/\\1/p" <<<"$1"; }

bars_of() { awk -v c="$1" '$1 == c { print $2, $3, $4 }' "$bench_dir/bars"; }
# A metric may have two: from where and up to where.
metrics_of() { bars_of "$1" | awk '!seen[$1]++'; }

# --- plots -------------------------------------------------------------------

# What a metric's panel shows: what the figure is, label and scale of the
# axis, names of the two lines.
describe_metric() {
	what="median ratio" label= scale=1 first=stock second=kvm-pvx
	case $1 in
	ops_ratio) label="operations per second";;
	paced_ratio) label="% of time that the lock works" scale=1e-4/$rounds;;
	long_wait_share_ratio) label="waits over 2 ms per million" scale=1e6;;
	fairness) what="median" label="slowest / fastest thread";;
	yields_reached) what="in all" label="directed yields" first=made second="reached";;
	engaged) what="median" label="rounds with the hooks in";;
	nop_over_vapic) label="ns per call" first=KVM_HC_VAPIC_POLL_IRQ second="private no-op";;
	timeouts) what="in all" label="retransmission timeouts";;
	goodput*) label="goodput, kbit/s";;
	first_later_*) what="median difference in ticks" label="us until the first retransmission";;
	transactions_per_s) label="transactions per second";;
	hook_over_stock) label="ns per stock call" second="hook in place";;
	scanned_per_merged) label="pages looked at per page saved";;
	merged_of_equal) what="median" label="pages of files" first="equal" second="merged";;
	saving_seconds) label="seconds until 90 % of stock's saving";;
	exits_per_1000) what="median" label="announced pages, and exits" first=announced second=exits;;
	ksmd_us) label="CPU time of ksmd in us";;
	both_speedup) label="us from fork until both have written";;
	parent_faults) label="faults of the parent";;
	calls_per_1000) what="median" label="pages that the host copied, and calls" first=by_host second=calls;;
	stall_*) label="us that the parent lost";;
	nested_faults) label="nested page faults";;
	model_*) what="median" label="times less" first=predicted second=measured;;
	p999) label="us that one in 1000 requests exceeds";;
	throughput) label="requests per second";;
	fork_us) label="us that fork took";;
	remote_*) label="remote accesses in a million" ;;
	crowded) what="most" label="vCPUs too many on a node";;
	overfull) what="median" label="share of time that a node has too many";;
	*_ms) what="median" label="ms until local again" first="" second="kvm-pvx";;
	calls) what="median" label="calls in a minute";;
	idle_calls) what="median" label="calls in half a minute, nothing runs";;
	nop_ns) label="ns of a no-op";;
	of_host) what="median" label="share of the host's CPUs that pvxtop takes";;
	missed) what="most" label="exits that pvxtop does not see";;
	per_s) what="median" label="hypercalls in a second" first=;;
	flood) label="hypercalls in a second" first="without pvxtop" second="with it";;
	exits) label="exits in a minute, processes run";;
	idle_exits) label="exits in a minute, nothing runs";;
	decisions) what="median" label="decisions in a minute";;
	accesses_per_s) label="accesses per second";;
	phases) label="work, geometric mean of the phases" first=defaults second=pvxtune;;
	found) label="candidates for KSM" first=defaults second=pvxtune;;
	work) label="reads and writes" first=defaults second=pvxtune;;
	reads) label="MB/s from the page cache";;
	compiles) label="compilations per hour";;
	hackbench) label="seconds (less is better)";;
	dbench) label="MB/s";;
	*) label="bogo operations per second";;
	esac
}

# One panel of a plot: a datum of each arm for each pair.
panel() { # METRIC DIRECTION BAR DATA VALUE
	local what label scale first second
	describe_metric "$1"
	cat <<-END
	\$data << EOD
	$(cat "$4")
	EOD
	set title "$1: $what $5 (bar $2 $3)"
	set ylabel "$label"
	plot \$data using 1:(\$2*$scale) with linespoints ls 1 title "$first", \\
	     \$data using 1:(\$3*$scale) with linespoints ls 2 title "$second"
	END
}

plot_case() { # CASE KVER OUT.svg
	local n cols rows metric dir bar
	n=$(metrics_of "$1" | wc -l)
	cols=$((n > 1 ? 2 : 1))
	rows=$(((n + cols - 1) / cols))
	{
		cat <<-END
		set terminal svg noenhanced size $((cols * 560)),$((rows * 360 + 50)) font "sans,12" background "white"
		set output "$3"
		set style line 1 lc rgb "#777777" lw 2 pt 6 ps 0.7 dt 2
		set style line 2 lc rgb "#0060b0" lw 2 pt 7 ps 0.7
		set multiplot layout $rows,$cols title "$bench: $title, Linux $2, $pairs pairs"
		set key tmargin center horizontal
		set xlabel "pair of runs"
		set xtics 1,$(((pairs + 14) / 15))
		set xrange [0.5:$pairs.5]
		set yrange [0:0.1<*]
		set offsets graph 0, graph 0, graph 0.08, graph 0
		set grid ytics lc rgb "#dddddd"
		END
		while read -r metric dir bar; do
			panel "$metric" "$dir" "$bar" "$bench_tmp/$metric" \
				"$(cat "$bench_tmp/$metric.value")"
		done < <(metrics_of "$1")
	} | gnuplot
}

# The pair and the round in which stock had most timeouts.
worst_round() {
	awk '$2 == "stock" && $5 >= most { most = $5; worst = $1 " " $3 } END { print worst }' "$1"
}

# One arm of a round over time: bursts shaded, and what guest 1 sent.
time_panel() { # DIR TURN TITLE
	local from to
	read -r from to < <(awk -v turn="$2" '$1 == turn { if (!from) from = $2; to = $3 } END { print from - 0.7, to + 0.7 }' CONVFMT=%.6f OFMT=%.6f "$1/host/bursts")
	echo 'unset object'
	awk -v turn="$2" -v from="$from" '$1 == turn {
		printf "set object rectangle from %.3f, graph 0 to %.3f, graph 1 fc rgb \"#f3d9d9\" fs solid noborder behind\n", $2 - from, $3 - from
	}' "$1/host/bursts"
	echo '$data << EOD'
	awk -v from="$from" -v to="$to" '$1 >= from && $1 <= to {
		if (last)
			printf "%.3f %.3f\n", $1 - from, ($2 - bytes) / ($1 - last) * 8 / 1e6
		last = $1; bytes = $2
	}' "$1/host/goodput"
	cat <<-END
	EOD
	set title "$3"
	plot \$data using 1:2 with lines lc rgb "#0060b0" notitle
	END
}

plot_bursts() { # DIR OUT.svg
	local turns=$1/guest1/turns pair round arm turn count
	read -r pair round < <(worst_round "$turns")
	{
		cat <<-END
		set terminal svg noenhanced size 900,640 font "sans,12" background "white"
		set output "$2"
		set multiplot layout 2,1 title "$title: what guest 1 sends, host's bursts shaded (pair $pair, round $round)"
		set xlabel "seconds"
		set ylabel "Mbit/s"
		set yrange [0:*]
		set grid ytics lc rgb "#dddddd"
		END
		for arm in stock pvx; do
			read -r turn count < <(awk -v p="$pair" -v a=$arm -v r="$round" '$1 == p && $2 == a && $3 == r { print $4, $5 }' "$turns")
			time_panel "$1" "$turn" "$arm: $count retransmission timeouts"
		done
	} | gnuplot
}

# What was saved over time: a line per pair, and one for memory that nobody marks.
plot_saving() { # DIR OUT.svg
	local arm
	{
		cat <<-END
		set terminal svg noenhanced size 900,420 font "sans,12" background "white"
		set output "$2"
		set title "$title: memory that KSM saves, $pairs pairs"
		set xlabel "seconds"
		set ylabel "MiB"
		set key bottom right
		set yrange [0:*]
		set grid ytics lc rgb "#dddddd"
		END
		for arm in off stock pvx; do
			echo "\$$arm << EOD"
			awk -F'\t' -v arm=$arm '$2 == arm && $3 == "saved" {
				if (n++ && $1 != pair)
					print ""
				pair = $1
				print $5, $4 / 256
			}' "$1/host/raw.tsv"
			echo EOD
		done
		cat <<-'END'
		plot $stock with lines lc rgb "#777777" dt 2 title "stock (mem-merge=on)", \
		     $pvx with lines lc rgb "#0060b0" lw 2 title "kvm-pvx", \
		     $off with lines lc rgb "#c04000" title "mem-merge=off"
		END
	} | gnuplot
}

# Remote accesses over time: a line per pair and guest.
plot_remote() { # DIR OUT.svg
	local arm
	{
		cat <<-END
		set terminal svg noenhanced size 900,420 font "sans,12" background "white"
		set output "$2"
		set title "$title, $pairs pairs"
		set xlabel "seconds"
		set ylabel "% of accesses that are remote"
		set yrange [0:100]
		set grid ytics lc rgb "#dddddd"
		END
		for arm in stock pvx; do
			echo "\$$arm << EOD"
			awk -F'\t' -v arm=$arm '$2 == arm && $3 ~ /^remote_then_/ { print $3 "\t" $1 "\t" $5 "\t" $4 / 1e4 }' \
				"$1/host/raw.tsv" | sort -t$'\t' -s -k1,1 -k2,2n |
				awk -F'\t' '{ line = $1 FS $2; if (NR > 1 && line != last) print ""; last = line; print $3, $4 }'
			echo EOD
		done
		cat <<-'END'
		plot $stock with lines lc rgb "#777777" dt 2 title "stock", \
		     $pvx with lines lc rgb "#0060b0" lw 2 title "kvm-pvx"
		END
	} | gnuplot
}

# A case's plot over time, where it has one.
plot_time() { # CASE DIR OUT.svg
	case $1 in
	tcp-*) plot_bursts "$2" "$3";;
	ksm-[0-9]) plot_saving "$2" "$3";;
	numa-[0-9]|numa-balancing|numa-compete) plot_remote "$2" "$3";;
	esac
}

# --- one case ----------------------------------------------------------------

# make_figures CASE DIR: the case's .jsonl and .tsv from what the guest wrote.
make_figures() {
	local raw=$2/$1/$writer/raw.tsv metric dir bar data line
	printf 'metric\tpair\treference\tours\tfigure\n' >"$2/$1.tsv"
	while read -r metric dir bar; do
		data=$bench_tmp/$metric
		awk -f "$bench_dir/pairs.awk" -v metric="$metric" "$raw" >"$data" || return 1
		[ "$(wc -l <"$data")" -eq "$pairs" ] || return 1
		line=$(figure "$1" "$metric" "$dir" "$bar" "$data") || return 1
		echo "$line" >>"$bench_tmp/$1.jsonl"
		field "$line" value >"$data.value"
		grep -q "^$metric	" "$2/$1.tsv" || sed "s/^/$metric\t/" "$data" >>"$2/$1.tsv"
	done < <(bars_of "$1")
	mv "$bench_tmp/$1.jsonl" "$2/$1.jsonl"
}

# run_case KVER CASE DIR: leaves CASE.jsonl, CASE.tsv, CASE.svg and what the
# laboratory brought back in DIR; says what went wrong otherwise.
run_case() {
	local rc
	# What an earlier run left must not pass for this one's.
	rm -f "$3/$2"{.jsonl,.tsv,.svg,-time.svg}
	describe_case "$2"
	run_lab "$1" "$3/$2"
	rc=$?
	[ $rc -eq 0 ] || { say "bench: $2: the laboratory failed with status $rc; no figures"; return 1; }
	make_figures "$2" "$3" || { say "bench: $2: no figures: incomplete results in $3/$2"; return 1; }
	plot_case "$2" "$1" "$3/$2.svg" || { say "bench: $2: gnuplot failed"; return 1; }
	plot_time "$2" "$3/$2" "$3/$2-time.svg" || { say "bench: $2: gnuplot failed"; return 1; }
	say "$bench: $title: plot in $3/$2.svg"
}

bench_needs() {
	command -v gnuplot >/dev/null || die "gnuplot is missing (run scripts/setup)"
}
