// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of host/budget.h: any takes and charges, against the same sums in 128 bits
 */
#include "input.h"
#include "../core/shim.h"
#include "../../host/budget.h"

typedef unsigned __int128 u128;

#define AMOUNT_MAX	(1U << 30)
/* A clock that has run for long, and steps that keep it from overflowing. */
#define BEGIN		(1ULL << 50)
#define STEP_MAX	(1ULL << 40)

static u64 later_of(u64 a, u64 b)
{
	return a > b ? a : b;
}

static u64 cost_of(u32 amount, u32 rate)
{
	const u128 sum = (u128)amount * 1000000000 + rate - 1;
	const u64 cost = sum / rate;

	must(cost == pvx_budget_cost(amount, rate));
	return cost;
}

static void take_one(struct pvx_budget *b, u64 now, u32 amount, u32 rate, u64 burst)
{
	const u64 before = atomic64_read(&b->earned_at);
	const bool taken = pvx_budget_take(b, now, amount, rate, burst);
	const u64 after = atomic64_read(&b->earned_at);
	u64 cost, to;
	bool enough;

	if (!rate) {
		must(!taken && after == before);
		return;
	}
	cost = cost_of(amount, rate);
	to = later_of(before, now) + cost;
	enough = to - now <= later_of(burst, cost);
	must(taken == enough);
	must(after == (taken ? to : before));
}

static void charge_one(struct pvx_budget *b, u64 now, u32 amount, u32 rate)
{
	const u64 before = atomic64_read(&b->earned_at);
	const u64 from = later_of(before, now), cost = cost_of(amount, rate);
	const u64 most = now + PVX_BUDGET_DEBT_MAX;

	pvx_budget_charge(b, now, amount, rate);
	must((u64)atomic64_read(&b->earned_at) ==
	     (from + cost <= most ? from + cost : later_of(from, most)));
}

/* At one rate, no more is ever taken than was earned, and one burst. */
static void at_one_rate(struct input in)
{
	const u32 rate = 1 + take(&in, 3);
	const u64 burst = take(&in, 4);
	struct pvx_budget b = { 0 };
	u64 now = BEGIN, most = burst;
	u128 spent = 0;
	u32 amount;

	while (has_more(&in)) {
		now += take_below(&in, STEP_MAX);
		amount = take(&in, 2);
		if (!pvx_budget_take(&b, now, amount, rate, burst))
			continue;
		spent += cost_of(amount, rate);
		most = later_of(most, cost_of(amount, rate));
		must(spent <= now - BEGIN + most);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { .at = data, .left = size };
	struct pvx_budget b = { 0 };
	u64 now = BEGIN, what;
	u32 amount, rate, n;

	at_one_rate(in);
	for (n = 0; has_more(&in) && n < 256; n++) {
		what = take(&in, 1);
		now += take_below(&in, STEP_MAX);
		amount = take(&in, 4) % (AMOUNT_MAX + 1);
		/* Small rates make for large costs. */
		rate = take(&in, 1 + what % 4);
		if (what & 4)
			charge_one(&b, now, amount, rate ? rate : 1);
		else
			take_one(&b, now, amount, rate, take(&in, what & 8 ? 8 : 4) >> 2);
	}
	return 0;
}
