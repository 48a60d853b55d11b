# SPDX-License-Identifier: GPL-2.0
#
# The host's part of the fork cases: it copies with the instruction that the guest's kernel
# copies with in a fault, and nobody copies beside the vCPU. On an emulated CPU that instruction
# is slow, and the laboratory has a CPU more than guests may use; neither is kvm-pvx's merit.
rmmod pvx_host_fork && insmod "$PVX_BUILD/host/pvx_host_fork.ko" copy_with=string helpers=0
