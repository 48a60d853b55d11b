# SPDX-License-Identifier: GPL-2.0
#
# Does a console tell of a CPU that is stuck in the trap of an int3 that is not there any
# more? Succeeds if it does. The emulator keeps what it translated from kernel text that
# another CPU was just patching, see Documentation/lab.rst. So there is a lockup or a
# stall, and a stack that is in the trap's first instruction, or where the trap came from:
# a nop of five, or one byte into it; or a function's first instruction that is a call, or
# a jump forward, which must be there twice. Other calls and jumps are in loops, too.

/soft lockup|rcu.*(stall|self-detected)/ { stuck = 1 }

/RIP: 0010:/ {
	rip = $0
	sub(/.*RIP: 0010:/, "", rip)
	line = NR
	if (rip ~ /^asm_exc_int3\+0x0\//)
		stale = 1
}

/Code: / && line && NR - line <= 2 {
	if (/(<0f> 1f|0f <1f>) 44 00 00/ && rip ~ /\+0x[01]\//)
		stale = 1
	entry = /<e8> / && rip ~ /\+0x0\//
	if ((entry || /<eb> [0-7]|<e9> .. .. .. [0-7]/) && ++times[rip] == 2)
		stale = 1
	line = 0
}

END { exit !(stuck && stale) }
