// SPDX-License-Identifier: GPL-2.0
/*
 * Many connections whose other side is silent, so that each waits to send again
 *
 *   crowd ADDRESS COUNT MS    sends a byte on each, and keeps them for MS
 *
 * Such a connection begins as one that is restored (TCP_REPAIR), so that nobody
 * has to accept it. The address is to be one that nobody has.
 */
#include <arpa/inet.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/resource.h>
#include <unistd.h>

static void fail(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static void set(int fd, int option, const void *value, socklen_t size)
{
	if (setsockopt(fd, IPPROTO_TCP, option, value, size))
		fail("setsockopt");
}

/* Nobody has offered a window, without which nothing would be sent. */
static void open_window(int fd)
{
	struct tcp_repair_window window;
	socklen_t size = sizeof(window);

	if (getsockopt(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window, &size))
		fail("TCP_REPAIR_WINDOW");
	window.snd_wnd = 65535;
	window.max_window = 65535;
	set(fd, TCP_REPAIR_WINDOW, &window, sizeof(window));
}

static void send_to_nobody(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		fail("socket");
	set(fd, TCP_REPAIR, &(int){ TCP_REPAIR_ON }, sizeof(int));
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)))
		fail("connect");
	open_window(fd);
	set(fd, TCP_REPAIR, &(int){ TCP_REPAIR_OFF_NO_WP }, sizeof(int));
	if (write(fd, "", 1) != 1)
		fail("write");
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	int count = argc == 4 ? atoi(argv[2]) : 0;
	struct rlimit files = { count + 16, count + 16 };

	if (count < 1 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) {
		fprintf(stderr, "usage: crowd ADDRESS COUNT MS\n");
		return 2;
	}
	if (setrlimit(RLIMIT_NOFILE, &files))
		fail("setrlimit");
	while (count--)
		send_to_nobody(&to);
	usleep(atoi(argv[3]) * 1000);
	return EXIT_SUCCESS;
}
