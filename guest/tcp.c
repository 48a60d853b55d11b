// SPDX-License-Identifier: GPL-2.0
/*
 * TCP's retransmission timer on effective time
 *
 * When a vCPU comes back, its timers run before its network does. So a
 * retransmission timer that expired meanwhile finds the acknowledgement still in
 * the ring, believes that the data was lost and sends it anew, slowly. Here the
 * timer is put off by what was stolen since it was set: then the ring is emptied
 * first, and what is there takes the timer back.
 *
 * The hook runs before tcp_write_timer_handler(), which sets the timer anew by
 * itself where icsk_timeout is yet to come; so all it does is to move that.
 */
#include <linux/cpumask.h>
#include <linux/hash.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/tcp.h>
#include <linux/timekeeping.h>
#include <net/inet_connection_sock.h>
#include <net/tcp.h>

#include "clock.h"
#include "compat.h"
#include "tcp.h"
#include "trace.h"

static unsigned int tcp_max_defer_ms = 2000;
module_param(tcp_max_defer_ms, uint, 0644);
MODULE_PARM_DESC(tcp_max_defer_ms,
	"Milliseconds by which a retransmission is deferred at most because of stolen time (default 2000)");

/**
 * struct deferred - a timer that was put off
 * @lock: never waited for
 * @sk: whose timer, only to be compared; NULL: none
 * @until: what it was set to then, jiffies
 * @expires: what TCP had set it to, jiffies
 * @armed: when it had done so, jiffies
 */
struct deferred {
	raw_spinlock_t		lock;
	const struct sock	*sk;
	unsigned long		until;
	unsigned long		expires;
	unsigned long		armed;
};

/*
 * By socket. What TCP had set is needed when the timer expires again, lest the
 * same stolen time counts twice. Where two sockets meet, one is not put off.
 */
#define DEFERRED_BITS	10
static struct deferred deferred[1 << DEFERRED_BITS];

static DEFINE_PER_CPU(struct pvx_tcp_stats, tcp_stats);

/**
 * pvx_tcp_sum() - what happened to timers, on all CPUs
 * @sum: set to it
 *
 * Context: any.
 */
void pvx_tcp_sum(struct pvx_tcp_stats *sum)
{
	int cpu;

	*sum = (struct pvx_tcp_stats){};
	for_each_possible_cpu(cpu) {
		struct pvx_tcp_stats *stats = per_cpu_ptr(&tcp_stats, cpu);

		sum->deferred += READ_ONCE(stats->deferred);
		sum->fired += READ_ONCE(stats->fired);
		sum->limited += READ_ONCE(stats->limited);
		sum->crowded += READ_ONCE(stats->crowded);
	}
}

/* TCP's own times have 32 bits. */
static unsigned long in_jiffies(u32 time)
{
	return jiffies - (u32)(tcp_jiffies32 - time);
}

static unsigned long sent_at(const struct sock *sk)
{
	return in_jiffies(tcp_sk(sk)->lsndtime);
}

static unsigned long later(unsigned long a, unsigned long b)
{
	return time_after(a, b) ? a : b;
}

/*
 * When the timer was set. That of a retransmission is set by icsk_rto, if not by
 * less for a second one that would come too late for the user; that of a loss
 * probe when the last segment was sent, or one came in.
 */
static unsigned long armed_at(const struct sock *sk)
{
	const struct inet_connection_sock *icsk = inet_csk(sk);
	unsigned long armed = icsk->icsk_timeout - icsk->icsk_rto;

	if (icsk->icsk_pending == ICSK_TIME_LOSS_PROBE)
		return later(sent_at(sk), in_jiffies(tcp_sk(sk)->rcv_tstamp));
	return icsk->icsk_backoff ? later(sent_at(sk), armed) : armed;
}

/* Where the acknowledgements come in, as far as is known; else this CPU. */
static int incoming_cpu(const struct sock *sk)
{
	int cpu = READ_ONCE(sk->sk_incoming_cpu);

	return cpu >= 0 && cpu < nr_cpu_ids && cpu_online(cpu) ? cpu : smp_processor_id();
}

/* In jiffies, the last one begun; less than one makes no timer expire early. */
static unsigned long stolen_since(const struct sock *sk, unsigned long armed)
{
	u64 now = ktime_get_ns(), age = jiffies_to_nsecs(jiffies - armed);
	u64 since = now - min(age, now);
	u64 stolen = max(pvx_clock_stolen_since(smp_processor_id(), since),
			 pvx_clock_stolen_since(incoming_cpu(sk), since));

	return stolen < TICK_NSEC ? 0 : nsecs_to_jiffies(stolen) + 1;
}

/* Until when the timer has to wait: jiffies, not after now if it is due. */
static unsigned long wait_until(struct sock *sk, const struct deferred *d)
{
	unsigned long most = msecs_to_jiffies(READ_ONCE(tcp_max_defer_ms));
	unsigned long stolen = stolen_since(sk, d->armed);
	unsigned long until = d->expires + min(stolen, most);

	/* If time is being stolen from it, who knows how much: look again soon. */
	if (!time_after(until, jiffies) && time_before(jiffies, d->expires + most) &&
	    pvx_clock_losing(incoming_cpu(sk)))
		until = jiffies + 1;
	if (stolen > most)
		this_cpu_inc(tcp_stats.limited);
	trace_tcp_expired(sk, jiffies_to_msecs(jiffies - d->armed),
			  jiffies_to_msecs(stolen),
			  time_after(until, jiffies) ? jiffies_to_msecs(until - jiffies) : 0);
	return until;
}

/* Whether somebody else may still come back for what is noted there. */
static bool taken(const struct sock *sk, const struct deferred *d)
{
	return d->sk && d->sk != sk && time_after_eq(d->until + HZ, jiffies);
}

static void crowded(const struct sock *sk)
{
	this_cpu_inc(tcp_stats.crowded);
	trace_tcp_crowded(sk);
}

/* Fills in what TCP had set; false if there is no place for it. */
static bool note(struct sock *sk, struct deferred *d)
{
	if (taken(sk, d))
		return false;
	d->sk = sk;
	d->expires = inet_csk(sk)->icsk_timeout;
	d->armed = armed_at(sk);
	return true;
}

static void decide(struct sock *sk, struct deferred *d)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	bool again = d->sk == sk && d->until == icsk->icsk_timeout;

	if (!again && !note(sk, d)) {
		crowded(sk);
		return;
	}
	d->until = wait_until(sk, d);
	if (time_after(d->until, jiffies)) {
		icsk->icsk_timeout = d->until;
		if (!again)
			this_cpu_inc(tcp_stats.deferred);
		return;
	}
	d->sk = NULL;
	if (again)
		this_cpu_inc(tcp_stats.fired);
}

/* With the socket's spinlock held, so in softirq or with softirqs off. */
static void on_write_timer(unsigned long ip, unsigned long parent_ip,
			   struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	struct sock *sk = (struct sock *)pvx_fregs(fregs)->di;
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct deferred *d;

	if ((icsk->icsk_pending != ICSK_TIME_RETRANS &&
	     icsk->icsk_pending != ICSK_TIME_LOSS_PROBE) ||
	    time_after(icsk->icsk_timeout, jiffies))
		return;
	d = &deferred[hash_ptr(sk, DEFERRED_BITS)];
	if (!raw_spin_trylock(&d->lock)) {
		crowded(sk);
		return;
	}
	decide(sk, d);
	raw_spin_unlock(&d->lock);
}

static struct pvx_hook hooks[] = {
	PVX_HOOK("tcp_write_timer_handler", on_write_timer, 0,
		 "cannot correct TCP's timers"),
};

static int prepare(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(deferred); i++) {
		raw_spin_lock_init(&deferred[i].lock);
		deferred[i].sk = NULL;
	}
	return 0;
}

struct pvx_part pvx_tcp = {
	.on = true,
	.hooks = hooks,
	.count = ARRAY_SIZE(hooks),
	.prepare = prepare,
};

module_param_cb(tcp, &pvx_part_ops, &pvx_tcp, 0644);
MODULE_PARM_DESC(tcp, "Defer TCP's retransmissions by what was stolen (default Y)");
