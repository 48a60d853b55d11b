# SPDX-License-Identifier: GPL-2.0
#
# The host's part of the fork cases: it copies with the function that the guest's kernel, which
# is the same, copies with in a fault, and nobody copies beside the vCPU. What is fast on an
# emulated CPU need not be so on others, and the laboratory has a CPU more than guests may use;
# neither is kvm-pvx's merit.
case $PVX_KERNEL in
6.1.*) way=string ;;	# copy_user_highpage(), which is copy_page()
*) way=safe ;;		# copy_mc_user_highpage(), which is copy_mc_to_kernel()
esac
rmmod pvx_host_fork && insmod "$PVX_BUILD/host/pvx_host_fork.ko" copy_with=$way helpers=0
