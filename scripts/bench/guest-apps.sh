# SPDX-License-Identifier: GPL-2.0
#
# Guest's part of the applications: what ordinary programs gain or lose.
. "$PVX_TOP/scripts/bench/guest-common.sh"

work=/dev/shm/bench	# a tmpfs
mkdir -p "$work"

run_hackbench() {
	timeout 120 hackbench -g 4 -l 100 2>&1 | awk '/^Time:/ { print $2 }'
}

run_dbench() {
	timeout 120 dbench -c /usr/share/dbench/client.txt -D "$work" -t 3 4 2>&1 |
		awk '/^Throughput/ { print $2 }'
}

# The class's line of measures; the lines below it begin with the same word.
run_stress() {
	timeout 120 stress-ng "--$1" 4 -t 3 --metrics-brief --temp-path "$work" 2>&1 |
		awk -v class="$1" '$4 == class && NF == 10 && $5 ~ /^[0-9]+$/ { print $9 }'
}

# key=value, where the program did give a value above 0.
show() { # KEY VALUE
	awk -v x="$2" 'BEGIN { exit !(x ~ /^[0-9.]+$/ && x > 0) }' ||
		{ echo "error: $1 gave no figure" >&2; return 1; }
	echo "$1=$2"
}

all() {
	show hackbench "$(run_hackbench)" && show dbench "$(run_dbench)" &&
		show dentry "$(run_stress dentry)" && show fault "$(run_stress fault)"
}

measure() {
	local got
	got=$(all) || exit 1
	record "$1" "$2" <<<"$got"
}

report() {
	local key
	printf 'pvx over stock:'
	printf ' hackbench %s' "$(quotient "$(recorded "$1" stock hackbench)" "$(recorded "$1" pvx hackbench)")"
	for key in dbench dentry fault; do
		printf ' %s %s' "$key" "$(quotient "$(recorded "$1" pvx $key)" "$(recorded "$1" stock $key)")"
	done
}

for program in hackbench dbench stress-ng; do
	command -v $program >/dev/null || fail "$program is missing (run scripts/setup)"
done
# Once for nothing: the programs come over the slow root share at first.
all >/dev/null || exit 1
echo "programs are warm"
alternate
