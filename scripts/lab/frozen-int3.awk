# SPDX-License-Identifier: GPL-2.0
#
# Is a CPU of a frozen host stuck in the trap of an int3 that is not there any more?
# Succeeds if one is, where the trap begins. Reads what QEMU's monitor says to "info
# registers -a", some times over, and to "x/2gx" of the IDT's gate 3, where an int3 goes.

{ sub(/\r$/, "") }

/^RIP=/ { seen[substr($1, 5)] = 1 }

# The address is in bits 0 to 15 and 48 to 95 of the gate.
/^[0-9a-f]+030: 0x[0-9a-f]+ 0x[0-9a-f]+$/ {
	low = substr($2, 3)
	high = substr($3, 3)
	trap = substr(high, 9) substr(low, 1, 4) substr(low, 13)
}

END { exit !(trap && trap in seen) }
