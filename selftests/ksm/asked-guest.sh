# SPDX-License-Identifier: GPL-2.0
#
# A guest that has a disk in common with others, and does what the host asks for.
# Sourced; the host's part is ask-host.sh.
host=$PVX_OUT/../host

# Our disk, read as a whole, and so many MiB of memory that nobody else has. The kernel
# keeps what was read of a disk for as long as somebody has it open.
have_memory() { # MIB
	modprobe -a virtio_blk virtio_balloon && mkdir -p /run/own && mount -t tmpfs -o size=80% own /run/own &&
		head -c "$1M" /dev/urandom >/run/own/memory &&
		exec 9</dev/vda && cat /dev/vda >/dev/null
}

load_ksm() { # PERMILLE
	insmod "$PVX_BUILD/guest/pvx_guest_ksm.ko" permille="$1"
}

# do_what_is_asked COMMAND: calls COMMAND with the words of each question, until
# that is "end". What it prints is the answer.
do_what_is_asked() {
	local asked=0 question= never
	# To wait without a process for it: a guest that does nothing is to look like one.
	exec {never}<> <(:)
	while [ "$question" != end ]; do
		[ -e "$host/ask.$((asked + 1))" ] || { read -rt 0.2 <&"$never"; continue; }
		asked=$((asked + 1))
		read -r question <"$host/ask.$asked"
		# shellcheck disable=SC2086 # it is words
		"$1" $question >"$PVX_OUT/answer.new"
		mv "$PVX_OUT/answer.new" "$PVX_OUT/answer.$asked"
	done
}
