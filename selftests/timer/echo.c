// SPDX-License-Identifier: GPL-2.0
/*
 * Requests and responses of one byte over TCP
 *
 *   echo serve PORT               answers, until it is killed
 *   echo rate ADDRESS PORT MS     how many requests are answered in MS
 *   echo lost ADDRESS PORT COUNT  sends requests until COUNT were lost; for how
 *                                 long each lacked its first retransmission
 *
 * On a path that loses segments of requests and not of responses.
 */
#define _GNU_SOURCE
#include <netdb.h>
#include <netinet/in.h>
#include <linux/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

static void no_delay(int fd)
{
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)))
		fail("TCP_NODELAY");
}

static void *answer(void *arg)
{
	int fd = (intptr_t)arg;
	char byte;

	while (read(fd, &byte, 1) == 1 && write(fd, &byte, 1) == 1)
		;
	close(fd);
	return NULL;
}

static int serve(const char *port)
{
	struct sockaddr_in6 any = {
		.sin6_family = AF_INET6, .sin6_port = htons(atoi(port)),
	};
	int fd = socket(AF_INET6, SOCK_STREAM, 0), conn;
	pthread_t thread;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, 16))
		fail("cannot listen");
	while ((conn = accept(fd, NULL, NULL)) >= 0) {
		no_delay(conn);
		if (pthread_create(&thread, NULL, answer, (void *)(intptr_t)conn))
			fail("pthread_create");
		pthread_detach(thread);
	}
	fail("accept");
	return EXIT_FAILURE;
}

static int dial(const char *address, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
	int err = getaddrinfo(address, port, &hints, &found), fd;

	if (err) {
		fprintf(stderr, "%s: %s\n", address, gai_strerror(err));
		exit(EXIT_FAILURE);
	}
	fd = socket(found->ai_family, found->ai_socktype, 0);
	if (connect(fd, found->ai_addr, found->ai_addrlen))
		fail("connect");
	freeaddrinfo(found);
	no_delay(fd);
	return fd;
}

static void request(int fd)
{
	if (write(fd, "?", 1) != 1)
		fail("write");
}

static void response(int fd)
{
	char byte;

	if (read(fd, &byte, 1) != 1)
		fail("read");
}

static int rate(int fd, int64_t ms)
{
	int64_t begin = now_us(), end = begin + ms * 1000, n = 0;

	for (; now_us() < end; n++) {
		request(fd);
		response(fd);
	}
	printf("transactions_per_s=%lld\n", (long long)(n * 1000000 / (now_us() - begin)));
	return EXIT_SUCCESS;
}

static unsigned int retransmitted(int fd)
{
	struct tcp_info info;
	socklen_t size = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size))
		fail("TCP_INFO");
	return info.tcpi_total_retrans;
}

/* How long it took until the request was sent again, in us; 0: it was not. */
static int64_t until_retransmission(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	static const struct timespec step = { .tv_nsec = 200000 };
	unsigned int before = retransmitted(fd);
	int64_t begin = now_us(), took = 0;

	request(fd);
	while (!took && ppoll(&p, 1, &step, NULL) == 0)
		if (retransmitted(fd) != before)
			took = now_us() - begin;
	response(fd);
	return took;
}

static int lost(int fd, int count)
{
	int tries = count * 1000;
	int64_t took;

	while (count > 0 && tries--) {
		took = until_retransmission(fd);
		if (!took)
			continue;
		printf("retransmitted_us=%lld\n", (long long)took);
		count--;
	}
	if (count)
		fprintf(stderr, "nothing is lost on this path\n");
	return count ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "serve"))
		return serve(argv[2]);
	if (argc == 5 && !strcmp(argv[1], "rate"))
		return rate(dial(argv[2], argv[3]), atoll(argv[4]));
	if (argc == 5 && !strcmp(argv[1], "lost"))
		return lost(dial(argv[2], argv[3]), atoi(argv[4]));
	fprintf(stderr, "usage: echo serve PORT | rate ADDRESS PORT MS | lost ADDRESS PORT COUNT\n");
	return 2;
}
