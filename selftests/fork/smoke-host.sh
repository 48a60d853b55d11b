. /run/pvx/guests
echo hello
