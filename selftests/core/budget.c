// SPDX-License-Identifier: GPL-2.0
/*
 * Unit test of host/budget.h
 *
 * Usage: budget [SEED]: the seed of the randomised run, printed by each run.
 */
#include <pthread.h>
#include <time.h>

#include "../lib/tap.h"
#include "shim.h"
#include "../../host/budget.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define MS		1000000ULL
#define SEC		1000000000ULL
#define YEAR		(365 * 86400 * SEC)

/* A clock is never at 0 when a VM makes its first call. */
#define START		(1000 * SEC)

/* Most of the tests: one per ms, 100 at once. */
#define RATE		1000
#define BURST		(100 * MS)

static bool take(struct pvx_budget *b, u64 now, u32 amount)
{
	return pvx_budget_take(b, now, amount, RATE, BURST);
}

/* How often 1 can be taken at one moment. */
static unsigned int drain(struct pvx_budget *b, u64 now, u32 rate, u64 burst)
{
	unsigned int n = 0;

	while (n < 1000000 && pvx_budget_take(b, now, 1, rate, burst))
		n++;
	return n;
}

static void test_burst(void)
{
	struct pvx_budget b = { 0 };
	unsigned int n = drain(&b, START, RATE, BURST);

	tap_ok(n == 100, "a full budget gives its burst and no more: %u", n);
	n = drain(&b, START + MS - 1, RATE, BURST);
	tap_ok(n == 0, "nothing is earned a ns too early: %u", n);
	n = drain(&b, START + MS, RATE, BURST);
	tap_ok(n == 1, "what was refused cost nothing: %u", n);

	b = (struct pvx_budget){ 0 };
	tap_ok(drain(&b, 0, RATE, BURST) == 100, "a clock at 0 is a time like any");
}

static void test_steady(void)
{
	struct pvx_budget b = { 0 };
	unsigned int n = 0;
	u64 now;

	for (now = START; now <= START + 10 * SEC; now += 10000)
		n += take(&b, now, 1);
	tap_ok(n == 100 + 10 * RATE, "the burst and then the rate: %u in 10 s", n);
}

static void test_pause(void)
{
	struct pvx_budget b = { 0 };
	unsigned int n;

	drain(&b, START, RATE, BURST);
	n = drain(&b, START + 100 * YEAR, RATE, BURST);
	tap_ok(n == 100, "a pause of years earns one burst: %u", n);
	n = drain(&b, START + 100 * YEAR + 50 * MS, RATE, BURST);
	tap_ok(n == 50, "half a burst's pause earns half of it: %u", n);
}

static void test_refusal(void)
{
	struct pvx_budget b = { 0 };

	tap_ok(take(&b, START, 100), "the burst may be taken in one");
	tap_ok(!take(&b, START, 1), "after which there is none");
	tap_ok(atomic64_read(&b.earned_at) == START + BURST,
	       "a refusal leaves the budget alone");
	tap_ok(!take(&b, START + BURST - 1, 100) &&
	       take(&b, START + BURST, 100), "until it is earned again");
}

/* More than the burst: once, when nothing is owed, and then it is owed. */
static void test_whole(void)
{
	struct pvx_budget b = { 0 };
	u64 earned = START + 101 * MS;

	tap_ok(take(&b, START, 101), "more than the burst is granted when full");
	tap_ok(!take(&b, START, 0) && !take(&b, START + MS - 1, 0) &&
	       take(&b, START + MS, 0), "and then 0 when it is down to the burst");
	tap_ok(!take(&b, START + 2 * MS - 1, 1), "1 is refused a ns too early");
	tap_ok(!take(&b, earned - 1, 101), "and so is the whole");
	tap_ok(take(&b, earned, 101), "which is granted when nothing is owed");

	b = (struct pvx_budget){ 0 };
	take(&b, START, 1);
	tap_ok(!take(&b, START, 101) && !take(&b, START + MS - 1, 101) &&
	       take(&b, START + MS, 101), "it waits for whatever is owed");

	b = (struct pvx_budget){ 0 };
	tap_ok(take(&b, START, 5000) && !take(&b, START + 5 * SEC - 1, 5000) &&
	       take(&b, START + 5 * SEC, 5000),
	       "what was taken is earned in full, however long that is");

	b = (struct pvx_budget){ 0 };
	tap_ok(pvx_budget_take(&b, START, 1, RATE, 0) &&
	       !pvx_budget_take(&b, START, 0, RATE, 0) &&
	       !pvx_budget_take(&b, START + MS - 1, 1, RATE, 0) &&
	       pvx_budget_take(&b, START + MS, 1, RATE, 0),
	       "a burst of 0 grants one at a time");
}

static void test_debt(void)
{
	struct pvx_budget b = { 0 };
	u64 paid = START + SEC - BURST;

	pvx_budget_charge(&b, START, RATE, RATE);
	tap_ok(!take(&b, START, 1), "debt refuses");
	tap_ok(!take(&b, paid - 1, 0), "debt refuses even 0 a ns before it is paid");
	tap_ok(take(&b, paid, 0), "0 is granted when debt is down to the burst");
	tap_ok(!take(&b, paid + MS - 1, 1), "1 is refused a ns before it is earned");
	tap_ok(take(&b, paid + MS, 1), "and granted when it is");

	b = (struct pvx_budget){ 0 };
	pvx_budget_charge(&b, START, 5, RATE);
	pvx_budget_charge(&b, START, 5, RATE);
	tap_ok(drain(&b, START, RATE, BURST) == 90, "charges add up");
	pvx_budget_charge(&b, START + 200 * MS, 5, RATE);
	tap_ok(drain(&b, START + 200 * MS, RATE, BURST) == 95,
	       "but to nothing that was earned long ago");

	b = (struct pvx_budget){ 0 };
	pvx_budget_charge(&b, START, 1, 7);
	tap_ok(atomic64_read(&b.earned_at) == (s64)(START + 142857143),
	       "a charge is rounded up");
}

static bool debt_is(struct pvx_budget *b, u64 until)
{
	u64 earned_at = atomic64_read(&b->earned_at);

	if (earned_at != until)
		printf("# until %llu, not %llu\n", (unsigned long long)earned_at,
		       (unsigned long long)until);
	return earned_at == until;
}

/* Literally a second: the constant is part of what is tested. */
static void test_debt_max(void)
{
	struct pvx_budget b = { 0 };

	pvx_budget_charge(&b, START, RATE - 1, RATE);
	tap_ok(debt_is(&b, START + SEC - MS), "debt of less than a second");
	pvx_budget_charge(&b, START, 1, RATE);
	tap_ok(debt_is(&b, START + SEC), "of just a second");
	pvx_budget_charge(&b, START, 1, RATE);
	tap_ok(debt_is(&b, START + SEC), "but never of more");
	pvx_budget_charge(&b, START, 1, SEC);
	tap_ok(debt_is(&b, START + SEC), "not by a ns");
	pvx_budget_charge(&b, START + MS / 2, 1, RATE);
	tap_ok(debt_is(&b, START + SEC + MS / 2), "a second from the last charge");

	b = (struct pvx_budget){ 0 };
	pvx_budget_charge(&b, START, 1 << 30, 1);
	tap_ok(debt_is(&b, START + SEC), "not even 2^30 at a rate of 1");
	tap_ok(!pvx_budget_take(&b, START, 1, 1000000, BURST) &&
	       pvx_budget_take(&b, START + SEC, 1, 1000000, BURST),
	       "so that a raised rate is felt after a second");
}

/* As after a charge by a CPU whose clock is ahead, or a restored state. */
static void test_far_ahead(void)
{
	struct pvx_budget b = { 0 };
	s64 ahead = START + 100 * YEAR;

	atomic64_set(&b.earned_at, ahead);
	tap_ok(!take(&b, START, 0) && !take(&b, START, 1),
	       "a budget far ahead of the clock refuses");
	tap_ok(atomic64_read(&b.earned_at) == ahead, "and is left alone");
	tap_ok(drain(&b, ahead, RATE, BURST) == 100, "and gives when its time comes");
	atomic64_set(&b.earned_at, ahead);
	pvx_budget_charge(&b, START, 1, RATE);
	tap_ok(debt_is(&b, ahead), "a charge does not make that less");
}

static void test_zero(void)
{
	struct pvx_budget b = { 0 };

	tap_ok(take(&b, START, 0), "0 is granted by a full budget");
	drain(&b, START, RATE, BURST);
	tap_ok(take(&b, START, 0), "and by one that has nothing left but no debt");
	tap_ok(!take(&b, START, 1), "which grants nothing else");

	b = (struct pvx_budget){ 0 };
	tap_ok(!pvx_budget_take(&b, START, 1, 0, BURST) &&
	       !pvx_budget_take(&b, START, 0, 0, BURST) &&
	       !pvx_budget_take(&b, START, 1, 0, UINT64_MAX),
	       "a rate of 0 refuses everything");
	tap_ok(!atomic64_read(&b.earned_at), "and leaves the budget alone");
	tap_ok(pvx_budget_take(&b, START, 0, RATE, 0) &&
	       atomic64_read(&b.earned_at) == START,
	       "a burst of 0 grants 0");
}

/* The largest that the contract allows; a wrap-around would grant it twice. */
static void test_limits(void)
{
	u64 largest = (1ULL << 30) * SEC;
	struct pvx_budget b = { 0 };

	tap_ok(pvx_budget_take(&b, START, 1 << 30, 1, largest) &&
	       !pvx_budget_take(&b, START, 1 << 30, 1, largest) &&
	       !pvx_budget_take(&b, START, 1, 1, largest),
	       "2^30 at a rate of 1");
	tap_ok(pvx_budget_take(&b, START + largest, 1 << 30, 1, largest),
	       "and again 2^30 s later");

	b = (struct pvx_budget){ 0 };
	tap_ok(pvx_budget_take(&b, START, 1 << 30, UINT32_MAX, 250 * MS + 1) &&
	       !pvx_budget_take(&b, START, 1 << 30, UINT32_MAX, 250 * MS + 1),
	       "2^30 at the highest rate");
}

static bool cost_is_right(u32 amount, u32 rate)
{
	u64 cost = pvx_budget_cost(amount, rate);
	unsigned __int128 exact = (unsigned __int128)amount * SEC;

	if ((unsigned __int128)cost * rate >= exact &&
	    (!cost || (unsigned __int128)(cost - 1) * rate < exact))
		return true;
	printf("# %u at a rate of %u: %llu ns\n", amount, rate,
	       (unsigned long long)cost);
	return false;
}

static void test_cost(void)
{
	static const u32 values[] = {
		1, 2, 3, 7, 999, 1000, 3125, 333333, 999999999, 1000000000,
		1000000001, 1 << 30,
	};
	bool right = true;
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(values); i++) {
		for (k = 0; k < ARRAY_SIZE(values); k++)
			right &= cost_is_right(values[i], values[k]);
		right &= cost_is_right(values[i], UINT32_MAX);
		right &= cost_is_right(0, values[i]);
	}
	tap_ok(right, "a cost is rounded up to ns, and no further");
}

/* What one takes is rounded up to ns: never more than the rate, hardly less. */
static void test_rounding(void)
{
	static const u32 rates[] = {
		1, 3, 7, 60, 333333, 1000000, 7654321,
	};
	struct pvx_budget b;
	unsigned int i;
	u64 now, cost, n;

	for (i = 0; i < ARRAY_SIZE(rates); i++) {
		b = (struct pvx_budget){ 0 };
		n = 0;
		for (now = START; now <= START + 10 * SEC; now += MS)
			n += drain(&b, now, rates[i], SEC);
		cost = (SEC + rates[i] - 1) / rates[i];
		tap_ok(n <= 11 * (u64)rates[i] && n == 11 * SEC / cost,
		       "a rate of %u: %llu in 10 s and a burst of 1 s",
		       rates[i], (unsigned long long)n);
	}
}

/* --- many at once -------------------------------------------------------- */

#define THREADS		4
#define INCREMENT	1000		/* ns that one takes: 10^6 a second */
#define CLOCK_STEP	700

static struct {
	struct pvx_budget	budget;
	u64			clock;
	u64			taken;
} shared;

/*
 * The clock goes on when somebody finds the budget used up, so it is never
 * full again, and what all of them took is known to the last.
 */
static void *taker(void *unused)
{
	u64 now, taken = 0;

	while ((now = __atomic_load_n(&shared.clock, __ATOMIC_RELAXED)) <
	       START + SEC) {
		if (pvx_budget_take(&shared.budget, now, 1, SEC / INCREMENT, MS))
			taken++;
		else
			__atomic_fetch_add(&shared.clock, CLOCK_STEP,
					   __ATOMIC_RELAXED);
	}
	__atomic_fetch_add(&shared.taken, taken, __ATOMIC_RELAXED);
	return unused;
}

static void *charger(void *unused)
{
	int i;

	for (i = 0; i < 100000; i++)
		pvx_budget_charge(&shared.budget, START, 1, SEC / INCREMENT);
	return unused;
}

static void run_threads(void *(*fn)(void *))
{
	pthread_t thread[THREADS];
	int i;

	shared.budget = (struct pvx_budget){ 0 };
	shared.clock = START;
	shared.taken = 0;
	for (i = 0; i < THREADS; i++)
		if (pthread_create(&thread[i], NULL, fn, NULL))
			abort();
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
}

static void test_threads(void)
{
	u64 bound;

	run_threads(taker);
	bound = (shared.clock - START + MS) / INCREMENT;
	tap_ok(shared.taken <= bound, "%d threads took %llu, at most %llu",
	       THREADS, (unsigned long long)shared.taken,
	       (unsigned long long)bound);
	shared.taken += drain(&shared.budget, shared.clock, SEC / INCREMENT, MS);
	tap_ok(shared.taken == bound, "with what they left it is all: %llu",
	       (unsigned long long)shared.taken);

	run_threads(charger);
	tap_ok(atomic64_read(&shared.budget.earned_at) ==
	       (s64)(START + THREADS * 100000ULL * INCREMENT),
	       "no charge is lost");
}

/* --- against a model ----------------------------------------------------- */

/*
 * What is owed, in units of which one second earns rate * SEC and 1 costs SEC:
 * exact, where all that is rounded in the budget is the cost in ns.
 */
struct model {
	u32		rate;
	u64		last;
	__int128	burst;
	__int128	owed;
};

static void model_init(struct model *m, u64 now, u32 rate, u64 burst)
{
	m->rate = rate;
	m->last = now;
	m->burst = (__int128)burst * rate;
	m->owed = 0;
}

static void model_earn(struct model *m, u64 now)
{
	m->owed -= (__int128)(now - m->last) * m->rate;
	if (m->owed < 0)
		m->owed = 0;
	m->last = now;
}

static bool model_take(struct model *m, u64 now, u32 amount)
{
	__int128 cost = (__int128)amount * SEC;

	model_earn(m, now);
	if (m->owed && m->owed + cost > m->burst)
		return false;
	m->owed += cost;
	return true;
}

static void model_charge(struct model *m, u64 now, u32 amount)
{
	__int128 most = (__int128)SEC * m->rate;

	model_earn(m, now);
	if (most < m->owed)
		most = m->owed;
	m->owed += (__int128)amount * SEC;
	if (m->owed > most)
		m->owed = most;
}

/* xorshift64*: the same on all machines. */
static u64 random_state;

static u64 random_u64(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 2685821657736338717ULL;
}

/* Below @limit, of all magnitudes alike. */
static u64 random_below(u64 limit)
{
	return limit ? (random_u64() >> (random_u64() % 64)) % limit : 0;
}

/* One budget of random size through 1000 random steps. */
static bool random_run(unsigned long *granted)
{
	/* Divisors of 10^9, for which nothing is rounded. */
	static const u32 rates[] = {
		1, 2, 8, 100, 3125, 50000, 1000000, 1000000000,
	};
	u32 rate = rates[random_below(ARRAY_SIZE(rates))], amount;
	u64 burst = random_below(2 * SEC), now = random_below(YEAR);
	struct pvx_budget b = { 0 };
	struct model m;
	bool got;
	int i;

	model_init(&m, now, rate, burst);
	for (i = 0; i < 1000; i++) {
		now += random_below(SEC);
		amount = random_below(2 * (u64)rate + 2);
		if (amount > 1 << 30)
			amount = 1 << 30;
		if (random_u64() % 16 == 0) {
			pvx_budget_charge(&b, now, amount, rate);
			model_charge(&m, now, amount);
			continue;
		}
		got = pvx_budget_take(&b, now, amount, rate, burst);
		if (got != model_take(&m, now, amount)) {
			printf("# step %d: rate %u burst %llu now %llu amount %u: %s\n",
			       i, rate, (unsigned long long)burst,
			       (unsigned long long)now, amount,
			       got ? "granted" : "refused");
			return false;
		}
		*granted += got;
	}
	return true;
}

static void test_random(u64 seed)
{
	unsigned long granted = 0;
	bool same = true;
	int i;

	random_state = seed ? seed : 1;
	for (i = 0; i < 1000 && same; i++)
		same = random_run(&granted);
	tap_ok(same, "10^6 random steps agree with the model, seed %llu",
	       (unsigned long long)seed);
	/* A model that only ever refused would agree with a broken budget. */
	tap_ok(granted > 100000 && granted < 900000,
	       "of which a fair part was granted: %lu", granted);
}

int main(int argc, char **argv)
{
	u64 seed = argc > 1 ? strtoull(argv[1], NULL, 0) : (u64)time(NULL);

	tap_begin();
	test_burst();
	test_steady();
	test_pause();
	test_refusal();
	test_whole();
	test_debt();
	test_debt_max();
	test_far_ahead();
	test_zero();
	test_limits();
	test_cost();
	test_rounding();
	test_threads();
	test_random(seed);
	return tap_done();
}
