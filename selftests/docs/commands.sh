#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Is each command of the documentation, man pages included, in the list of what runs it, and each
# message of the modules in Documentation/troubleshooting.rst? Reads both, and runs nothing of them.
export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. selftests/lib/tap.sh
list=selftests/docs/commands
page=Documentation/troubleshooting.rst

# Those of man pages, which are bold, with lines that go on in quotes.
in_man_pages() {
	sed -n -e 's/^\.B # //p' -e 's/^\.B "  *\(.*\)"$/\t\1/p' scripts/*/*.[158] |
		sed -e "s/\\\\(aq/'/g" -e 's/\\(dq/"/g' -e 's/\\-/-/g' -e 's/ *\\e$//' \
			-e 's/\<4711\>/PID/g' |
		awk '/^\t/ { command = command " " substr($0, 2); next }
		{ if (NR > 1) print command; command = $0 }
		END { print command }'
}
documented() { awk -f selftests/docs/commands.awk README.md Documentation/*.rst && in_man_pages; }
entries() { grep '^[^#]' $list; }	# TEST<tab>COMMAND
listed() { entries | cut -f 2-; }

all_are_listed() { ! comm -23 <(documented | sort -u) <(listed | sort -u) | grep .; }
none_is_gone() { ! comm -13 <(documented | sort -u) <(listed | sort -u) | grep .; }
none_is_there_twice() { ! listed | sort | uniq -d | grep .; }
has_two_fields() { ! entries | awk -F '\t' 'NF != 2 || $1 == "" || $2 == ""' | grep .; }

# A test that runs a command has the names of its program and of our own scripts in it, and its
# options, but for the laboratory's, of which many come from variables.
runs() { # TEST COMMAND
	local words word status=0
	read -r -a words <<<"$2"
	for word in "${words[0]##*/}" "${words[@]:1}"; do
		[ "$word" = "${words[0]##*/}" ] || [[ $word == selftests/* ]] ||
			[[ $word =~ ^-[a-zA-Z-]+$ && $2 != scripts/lab/lab* ]] || continue
		grep -qsE -- "(^|[^a-zA-Z-])$(sed 's/[^a-zA-Z0-9_-]/[&]/g' <<<"$word")([^a-zA-Z-]|$)" "$1" || { echo "$1 has no $word"; status=1; }
	done
	return $status
}
tests_run_them() {
	local test command status=0
	while IFS=$'\t' read -r test command; do
		[ "$test" = - ] || runs "$test" "$command" || status=1
	done < <(entries)
	return $status
}

# What is the same each time of what the modules log: the longest part between two conversions.
messages() {
	cat host/*.[ch] guest/*.[ch] | tr -d '\n' |
		grep -oE 'pr_(err|warn|notice|info)[a-z_]*\([^"]*"[^"]*"' |
		sed 's/^[^"]*"//; s/"$//; s/\\n$//' | awk '{
			longest = ""
			n = split($0, part, /%[0-9]*l*z?[a-z]/)
			for (i = 1; i <= n; i++)
				if (length(part[i]) > length(longest))
					longest = part[i]
			print longest
		}'
	# What hooks say when their function is missing.
	grep -ohE '"cannot [^"%]*"' host/*.c guest/*.c | tr -d '"'
}
some_are_found() { [ "$(messages | wc -l)" -gt 20 ]; }
all_are_explained() {
	local message status=0
	while IFS= read -r message; do
		grep -qF -- "$message" $page || { echo "not there: $message"; status=1; }
	done < <(messages)
	return $status
}

check "each line of the list has a test and a command" has_two_fields
check "each command of the documentation is in the list" all_are_listed
check "no other one is" none_is_gone
check "none is there twice" none_is_there_twice
check "each test runs what it is listed for" tests_run_them
check "the modules' messages are found" some_are_found
check "each is explained" all_are_explained
tap_done
