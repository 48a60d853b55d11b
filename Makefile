# SPDX-License-Identifier: GPL-2.0
#
# kvm-pvx: modules by which KVM hosts and their guests work together.
# "make help" lists what can be made.

# The kernel to build for: KDIR if given, else the one KVER begins, else the
# running one, else the newest whose headers are installed; that of make check-debug only if it is
# named.
headers = $(shell ls -d /lib/modules/$(1)/build 2>/dev/null | sort -V | tail -n 1)
newest = $(shell ls -d /lib/modules/$(1)/build 2>/dev/null | grep -v pvx-debug | \
	sort -V | tail -n 1)
ifdef KVER
KDIR ?= $(or $(call headers,$(KVER)),$(call newest,$(KVER).*))
else
KDIR ?= $(or $(call headers,$(shell uname -r)),$(call newest,*))
endif
needs_kernel := $(filter-out help clean setup demo check check-quick check-long check-debug bench \
	tools install install-% dkms-% deb htmldocs report,$(or $(MAKECMDGOALS),modules))
ifneq ($(needs_kernel),)
ifeq ($(wildcard $(KDIR)/Makefile),)
$(error no kernel headers for "$(or $(KVER),$(shell uname -r))": "make setup" installs those \
	of the laboratory)
endif
RELEASE := $(shell sed -n 's/.define UTS_RELEASE "\(.*\)"/\1/p' $(KDIR)/include/generated/utsrelease.h)
BUILD := $(CURDIR)/build/$(RELEASE)$(if $(filter n,$(TRACE)),-untraced)

# What this kernel has, asked of its own list of exported symbols.
exported = $(shell grep -qw $(1) $(KDIR)/Module.symvers && echo -DPVX_HAVE_$(1))
PROBES := $(foreach symbol,__kvm_emulate_hypercall pcpu_hot hrtimer_setup \
	__tracepoint_contention_begin __SCT__apic_call_send_IPI_mask,$(call exported,$(symbol)))
ifeq ($(TRACE),n)
PROBES += -DNOTRACE
endif
ifeq ($(KSYM),byname)
PROBES += -DPVX_KSYM_BY_NAME
endif
endif

# The tests' modules are built, but not installed.
PVX_TESTS := m
modules_install: PVX_TESTS :=

# Candidates for KSM can be left out.
KSM ?= y
PVX_KSM := $(if $(filter-out n,$(KSM)),m)

KBUILD = -C $(KDIR) M=$(BUILD) PVX_PROBES="$(PROBES)" PVX_TESTS=$(PVX_TESTS) PVX_KSM=$(PVX_KSM) \
	$(if $(W),W=$(W)) $(if $(C),C=$(C))

.PHONY: all modules modules_install sign tools install install-pvxctl install-fork-run \
	install-tune dkms-source dkms-install dkms-remove deb clean setup demo check check-quick \
	check-long check-debug bench report htmldocs help

all: modules tools

# Objects of several kernels live side by side: each is built in a tree of
# links to the sources.
$(BUILD)/.links: FORCE
	@mkdir -p $(BUILD)
	@cp -rsf $(addprefix $(CURDIR)/,Kbuild host guest uapi) $(wildcard $(CURDIR)/selftests) $(BUILD)/
	@find $(BUILD) -xtype l -delete
	@touch $@
FORCE:

modules: $(BUILD)/.links
	$(MAKE) $(KBUILD) modules
	@scripts/package/btf $(KDIR) $(RELEASE) $$(find $(BUILD) -name '*.ko')
	@printf '%s\n' pvx_host pvx_host_yield pvx_guest pvx_guest_lock pvx_guest_timer >$(BUILD)/modules.load

modules_install: modules
	$(MAKE) $(KBUILD) modules_install

# With SIGN_KEY and SIGN_CERT, or a key of our own, which is made first if need be.
sign: modules
	scripts/package/sign --headers $(KDIR) \
		$(if $(SIGN_KEY)$(SIGN_CERT),--key "$(SIGN_KEY)" --cert "$(SIGN_CERT)") \
		$(BUILD)/host/*.ko $(BUILD)/guest/*.ko

tools:
	$(MAKE) -C scripts/pvxctl
	$(MAKE) -C scripts/fork
	$(MAKE) -C scripts/tune

install-pvxctl: tools
	$(MAKE) -C scripts/pvxctl install

install-fork-run: tools
	$(MAKE) -C scripts/fork install

install-tune: tools
	$(MAKE) -C scripts/tune install

install: install-pvxctl install-fork-run install-tune
	$(MAKE) -C scripts/package install

# What DKMS builds from: the modules, and nothing of the tests.
VERSION = $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
source = /usr/src/kvm-pvx-$(VERSION)
dkms_named = -m kvm-pvx -v $(VERSION)

dkms-source:
	rm -rf $(DESTDIR)$(source)
	mkdir -p $(DESTDIR)$(source)
	cp Kbuild Makefile dkms.conf $(DESTDIR)$(source)/
	$(if $(filter n,$(KSM)),sed -i 's/^KSM=.*/KSM=n/' $(DESTDIR)$(source)/dkms.conf)
	find host guest uapi -name Kbuild -o -name '*.[ch]' | xargs cp --parents -t $(DESTDIR)$(source)
	cp --parents scripts/package/btf $(DESTDIR)$(source)/
	chmod -R u=rwX,go=rX $(DESTDIR)$(source)

dkms-install: dkms-remove
	$(MAKE) dkms-source DESTDIR=
	dkms install $(dkms_named) $(addprefix -k ,$(KVER))

dkms-remove:
	if [ -n "$$(dkms status $(dkms_named))" ]; then dkms remove $(dkms_named) --all; fi
	rm -rf $(source)

deb:
	scripts/package/deb

clean:
	rm -rf build

setup:
	scripts/setup

demo check:
	scripts/$@

check-quick check-long check-debug:
	scripts/check $(@:check-%=%)

bench:
	@scripts/bench/run "$(or $(BENCH),all)" "$(or $(KVER),6.1)"

report:
	@scripts/report

# A second run says again what the first one warned of (-E).
htmldocs:
	@command -v sphinx-build >/dev/null || \
		{ echo 'sphinx-build is missing: "make setup" installs it' >&2; exit 1; }
	sphinx-build -q -b html -n -W --keep-going -E -d build/doctrees Documentation build/html
	@echo build/html/index.html

help:
	@echo 'modules          build all modules (default, with tools)'
	@echo 'tools            build pvxctl, pvx-fork-run, pvx-numad and the others'
	@echo 'sign             sign the modules, with SIGN_KEY and SIGN_CERT or a key that is made'
	@echo 'modules_install  install the modules for the kernel they were built for'
	@echo 'install          install tools, man pages, the service and examples (DESTDIR, prefix)'
	@echo 'install-pvxctl   install pvxctl, pvx-grants and their man pages'
	@echo 'install-fork-run the same for pvx-fork-run, in guests'
	@echo 'install-tune     the same for pvxtop, pvxtax, pvx-numad, pvx-numa-map and pvx-ksmd, on hosts,'
	@echo '                 pvxlock, in guests, pvxtune, pvx-policy and pvx-lock-latency, on both'
	@echo 'dkms-install     let DKMS build and install the modules, and do so for each new kernel;'
	@echo '                 KVER is a full release here (default: the running kernel)'
	@echo 'dkms-remove      take them out of DKMS again'
	@echo 'deb              build a Debian package of all that, in build/deb/'
	@echo 'setup            install what the laboratory needs (apt-get, as root)'
	@echo 'demo             all set-up, then stock against kvm-pvx under lock load;'
	@echo '                 KVER, PAIRS and MS as for bench'
	@echo 'check            all set-up, then the tests; those of check-long take hours'
	@echo 'check-quick      the same for the short tests, on one kernel'
	@echo 'check-long       the same for those that count, with all they are to count'
	@echo 'check-debug      those in the laboratory on a kernel with KASAN, lockdep and kmemleak, which'
	@echo '                 is built first: hours'
	@echo '                 TESTS="abi timer*" chooses tests of any of these'
	@echo 'bench            figures: BENCH=lock, timer, ksm, fork, numa, tune or all (default: all, which'
	@echo '                 takes most of a day); KVER=6.1 or 6.12;'
	@echo '                 CASES="4on2 rr", with BENCH, chooses, PAIRS=10 and MS=2000 are how often and how long'
	@echo 'report           a page of all that bench has left: results/report.html'
	@echo 'htmldocs         the documentation in HTML, in build/html/'
	@echo 'clean            remove all that was built'
	@echo
	@echo 'KDIR=DIR         kernel to build for, by its build directory'
	@echo 'KVER=VER         or by its version: 6.1, 6.12, or a full release'
	@echo 'KSYM=byname      look up private symbols of KVM by name (6.18 and later)'
	@echo 'KSM=n            leave out pvx_host_ksm and pvx_guest_ksm'
	@echo 'TRACE=n          leave tracepoints out, in a folder of its own, to compare with'
	@echo 'PVX_FAULTS=y     let allocations fail, for tests only'
	@echo 'W=1 C=1          more warnings, sparse'
