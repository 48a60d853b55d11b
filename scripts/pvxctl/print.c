// SPDX-License-Identifier: GPL-2.0
/* Text for people, JSON for programs, and the names of features in both. */
#include <stdio.h>
#include <string.h>

#include "pvxctl.h"

static const struct {
	__u64 mask;
	const char *name;
} features[] = {
	{ PVX_F_YIELD, "yield" },
	{ PVX_F_KSM, "ksm" },
	{ PVX_F_FORK, "fork" },
	{ PVX_F_NUMA, "numa" },
};

static void feature_name(unsigned int bit, char name[FEATURE_NAME_LEN])
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(features); i++) {
		if (features[i].mask != 1ULL << bit)
			continue;
		snprintf(name, FEATURE_NAME_LEN, "%s", features[i].name);
		return;
	}
	/* a host newer than this command */
	snprintf(name, FEATURE_NAME_LEN, "bit%u", bit);
}

const char *feature_list(__u64 mask, char list[FEATURE_LIST_LEN])
{
	char name[FEATURE_NAME_LEN];
	unsigned int bit;
	size_t len = 0;

	if (!mask)
		return "none";
	for (bit = 0; bit < 64; bit++) {
		if (!(mask & 1ULL << bit))
			continue;
		feature_name(bit, name);
		len += snprintf(list + len, FEATURE_LIST_LEN - len, "%s%s",
				len ? "," : "", name);
	}
	return list;
}

__u64 feature_mask(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(features); i++) {
		if (!strcmp(name, features[i].name))
			return features[i].mask;
	}
	return 0;
}

/* A VMM chooses its own name: keep escape sequences off the terminal. */
void put_plain(const char *s, int width)
{
	for (; *s; s++, width--)
		putchar(*s >= ' ' && *s <= '~' ? *s : '?');
	if (width > 0)
		printf("%*s", width, "");
}

void put_field(const char *key, const char *value)
{
	put_plain(key, 24);
	fputs("  ", stdout);
	put_plain(value, 0);
	putchar('\n');
}

void put_number(const char *key, unsigned long long value)
{
	char number[24];

	snprintf(number, sizeof(number), "%llu", value);
	put_field(key, number);
}

void put_features(const char *key, __u64 mask)
{
	char list[FEATURE_LIST_LEN];

	put_field(key, feature_list(mask, list));
}

/* The length of the UTF-8 sequence that begins at @s, 0 if it is none. */
static int utf8_len(const char *s)
{
	static const unsigned int least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned int c = (unsigned char)*s;
	int len, i;

	if (c < 0x80)
		return 1;
	if (c >= 0xc0 && c < 0xe0)
		len = 2;
	else if (c >= 0xe0 && c < 0xf0)
		len = 3;
	else if (c >= 0xf0 && c < 0xf8)
		len = 4;
	else
		return 0;

	c &= 0x7f >> len;
	for (i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return len;
}

void json_string(const char *s)
{
	int len;

	putchar('"');
	for (; *s; s += len) {
		unsigned char c = *s;

		len = utf8_len(s);
		if (!len) {
			/* a name that the kernel cut off inside a letter */
			fputs("\\ufffd", stdout);
			len = 1;
		} else if (c == '"' || c == '\\') {
			printf("\\%c", c);
		} else if (c < ' ' || c == 0x7f) {
			printf("\\u%04x", c);
		} else {
			fwrite(s, 1, len, stdout);
		}
	}
	putchar('"');
}

/* JSON knows decimal numbers only, and none with a leading 0 or a plus. */
static bool is_json_number(const char *s)
{
	size_t digits;

	if (*s == '-')
		s++;
	digits = strspn(s, "0123456789");
	if (!digits || (*s == '0' && digits > 1))
		return false;
	s += digits;
	if (!*s)
		return true;
	if (*s++ != '.')
		return false;
	digits = strspn(s, "0123456789");
	return digits && !s[digits];
}

void json_value(const char *s)
{
	if (is_json_number(s))
		fputs(s, stdout);
	else
		json_string(s);
}

void json_features(__u64 mask)
{
	char name[FEATURE_NAME_LEN];
	const char *comma = "";
	unsigned int bit;

	putchar('[');
	for (bit = 0; bit < 64; bit++) {
		if (!(mask & 1ULL << bit))
			continue;
		feature_name(bit, name);
		fputs(comma, stdout);
		json_string(name);
		comma = ",";
	}
	putchar(']');
}
