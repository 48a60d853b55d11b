// SPDX-License-Identifier: GPL-2.0
/*
 * Keeps one VM with one vCPU that never runs. As long as it lives, KVM's
 * static keys that count vCPUs (apic_sw_disabled among them) do not flip when
 * guests come and go, so no kernel text is patched then. Says so when it has
 * it, as whoever waits for that may bring CPUs online only then.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int vm;

	if (kvm < 0)
		err(1, "/dev/kvm");
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		err(1, "KVM_CREATE_VM");
	if (ioctl(vm, KVM_CREATE_IRQCHIP, 0))
		err(1, "KVM_CREATE_IRQCHIP");
	if (ioctl(vm, KVM_CREATE_VCPU, 0) < 0)
		err(1, "KVM_CREATE_VCPU");
	if (puts("idle") < 0 || fflush(stdout))
		err(1, "standard output");
	for (;;)
		pause();
}
