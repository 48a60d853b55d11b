# SPDX-License-Identifier: GPL-2.0
#
# The commands of pages in reStructuredText or Markdown, one a line: what stands behind a prompt,
# $ or #, in an indented block, with the lines that go on behind a backslash or a > in one. Blocks
# that are no shell's begin with "code-block".

function take(part) {
	sub(/[ \t][ \t]+# .*/, "", part)
	goes_on = sub(/\\$/, "", part)
	command = command " " part
}

function finish() {
	gsub(/[ \t]+/, " ", command)
	gsub(/^ | $/, "", command)
	if (command != "")
		print command
	command = ""
	goes_on = 0
}

FNR == 1 { finish(); other = 0 }
/^[^ \t]/ { other = /^\.\. code-block::/ }
other { next }
{
	text = $0
	is_indented = sub(/^[ \t]+/, "", text)
}
goes_on { take(text); next }
is_indented && command != "" && text ~ /^> / { take(substr(text, 3)); next }
{ finish() }
is_indented && text ~ /^[$#] [^ ]/ { take(substr(text, 3)) }
END { finish() }
