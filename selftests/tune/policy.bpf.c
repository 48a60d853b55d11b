// SPDX-License-Identifier: GPL-2.0
/*
 * Policies for the tests, one for each of these names: that of the object that is built
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include <linux/kvm_pvx_tune.h>

enum policy {
	self,		/* nobody is to run */
	stranger,	/* one that no VM has */
	longest,	/* spin for longer than is allowed */
	shortest,	/* and shorter */
	beyond,		/* writes behind the structure */
	anywhere,	/* at an offset that the guest chooses */
	context,	/* to the context */
};

#if POLICY_IS_SPIN
SEC("raw_tp.w/pvx_choose_spin")
int choose(struct bpf_raw_tracepoint_args *ctx)
{
	struct pvx_choose_spin *c = (void *)ctx->args[0];

	c->spin_ns = POLICY == longest ? ~0U : 0;
	return 0;
}
#else
SEC("raw_tp.w/pvx_choose_target")
int choose(struct bpf_raw_tracepoint_args *ctx)
{
	struct pvx_choose_target *c = (void *)ctx->args[0];
	__u32 *words = (void *)c;

	switch (POLICY) {
	case self:
		c->target = c->caller;
		break;
	case stranger:
		c->target = ~0U;
		break;
	case beyond:
		words[sizeof(*c) / sizeof(*words)] = 0;
		break;
	case anywhere:
		words[c->asked] = 0;
		break;
	case context:
		ctx->args[0] = 0;
		break;
	}
	return 0;
}
#endif

char LICENSE[] SEC("license") = "GPL";
