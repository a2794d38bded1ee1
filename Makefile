# make             build the release binary          make run          build and start it (ARGS="redis.conf --port 7000")
# make test        everything a change must pass: unit tests, tidy, the TCL suite, crashes
# make tcl         the TCL suite alone (ARGS="--single unit/strings --verbose")
# make test-upstream SUITE=dir [FILES="unit/type/string .."]   a Redis or Valkey source tree's own suite
# make bench       beside redis-server (ARGS=--quick)    make fuzz    TIME seconds a target
# make differential   random commands beside redis-server, and replayed (ARGS="COMMANDS=1000000 SEED=7 PEER=path")
# make crash        kill -9, power losses and errors of the disk (ARGS="--rounds 10000 --policy always")
# make crash-replicas   what WAIT has confirmed is there after the primary is killed (ARGS="--rounds 100 --other redis-server")
# make test-page   the page of the endpoint for metrics, in a browser without a window (ARGS="--pictures dir")
# make sanitize    the tests of the layers that hold unsafe code, with the address sanitizer
# make install uninstall   PREFIX=/usr/local DESTDIR= SYSCONFDIR=/etc; LINKS=1 also makes the names of Redis's programs
# make tidy lint fmt-check bench-parts

CARGO ?= cargo
PREFIX ?= /usr/local
DESTDIR ?=
CLIENTS ?= 2
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
SERVER := $(TARGET_DIR)/release/redust-server
# Where services read their settings: /etc, unless the whole goes into a folder of one's own.
SYSCONFDIR ?= $(if $(filter /usr /usr/local,$(PREFIX)),/etc,$(PREFIX)/etc)
BINDIR = $(DESTDIR)$(PREFIX)/bin
MANDIR = $(DESTDIR)$(PREFIX)/share/man
UNITDIR = $(DESTDIR)$(PREFIX)/lib/systemd/system
SYSUSERSDIR = $(DESTDIR)$(PREFIX)/lib/sysusers.d
TMPFILESDIR = $(DESTDIR)$(PREFIX)/lib/tmpfiles.d
CONFDIR = $(DESTDIR)$(SYSCONFDIR)/redust
FUZZ_TARGETS = $(basename $(notdir $(wildcard tools/fuzz/fuzz_targets/*.rs)))
TIME ?= 60
# What INFO server says of the build; a tree without git says 00000000, as Redis's release does.
export BUILD_GIT_SHA1 := $(shell git rev-parse --short=8 HEAD 2>/dev/null)
export BUILD_GIT_DIRTY := $(shell git diff --quiet HEAD 2>/dev/null; [ $$? = 1 ] && echo 1 || echo 0)
export BUILD_CC_VERSION := $(shell $${CC:-cc} -dumpfullversion 2>/dev/null)
PYTHON_OR_SKIP = command -v python3 >/dev/null 2>&1 || { \
	echo "make: python3 is missing, so this is skipped: apt-get install python3"; exit 0; };

.PHONY: build run test tcl test-upstream tidy lint clippy fmt-check bench bench-parts fuzz install uninstall prerequisites clean

build: prerequisites
	$(CARGO) build --release

run: build
	$(SERVER) $(ARGS)

# One line for each thing that is missing, with the name to install it by.
prerequisites:
	@ok=1; \
	command -v $(CARGO) >/dev/null 2>&1 || { echo "make: cargo is missing: install Rust from https://rustup.rs"; ok=0; }; \
	command -v $${CC:-cc} >/dev/null 2>&1 || { echo "make: a C compiler is missing: apt-get install gcc"; ok=0; }; \
	command -v make >/dev/null 2>&1 || { echo "make: make is missing (jemalloc is built with it): apt-get install make"; ok=0; }; \
	[ $$ok = 1 ]

.PHONY: tcl-prerequisites
tcl-prerequisites:
	@command -v tclsh >/dev/null 2>&1 || { echo "make: tclsh is missing: apt-get install tcl"; exit 1; }

test: prerequisites tcl-prerequisites
	$(CARGO) test
	$(CARGO) build --release
	tclsh tests/run.tcl --server $(SERVER) --clients $(CLIENTS) $(ARGS)
	@$(PYTHON_OR_SKIP) python3 tools/crash/crash.py --server $(SERVER) --target $(TARGET_DIR)/crash --quick

# The long run: thousands of kills, power losses and errors of the disk. ARGS="--rounds 10000 --seed 7 --policy always"
.PHONY: crash
crash: build
	@$(PYTHON_OR_SKIP) python3 tools/crash/crash.py --server $(SERVER) --target $(TARGET_DIR)/crash $(ARGS)

# A primary and its replica, killed, stopped and promoted. ARGS="--rounds 100 --other /usr/bin/redis-server"
.PHONY: crash-replicas
crash-replicas: build
	@$(PYTHON_OR_SKIP) python3 tools/crash/replicas.py --server $(SERVER) $(ARGS)

tcl: build tcl-prerequisites
	tclsh tests/run.tcl --server $(SERVER) --clients $(CLIENTS) $(ARGS)

test-upstream: build tcl-prerequisites
	@[ -n "$(SUITE)" ] || { echo 'make: say which source tree: make test-upstream SUITE=dir [FILES="unit/type/string .."]'; exit 2; }
	SERVER=$(SERVER) tests/upstream/run.sh "$(SUITE)" $(FILES)

# The page of the endpoint for metrics in a real browser; without one, a line says so.
.PHONY: test-page
test-page: build
	@$(PYTHON_OR_SKIP) python3 tests/page/page.py --server $(SERVER) $(ARGS)

# What differs is printed with its seed; ARGS holds any of COMMANDS, SEED and PEER (another redis-server).
.PHONY: differential
differential: prerequisites
	env REDUST_COMMANDS=300000 REDUST_SEED=random $(addprefix REDUST_,$(ARGS)) \
		$(CARGO) test --test redust model -- --nocapture --test-threads 1

tidy: prerequisites
	$(CARGO) test --test redust tidy -- --nocapture

# Containers, entries and values are where a mistake in unsafe code would be. It needs the nightly compiler; without
# it, one line says so.
.PHONY: sanitize
sanitize: prerequisites
	@if ! $(CARGO) +nightly --version >/dev/null 2>&1; then \
		echo "make: the nightly compiler is missing, so the sanitizer does not run: rustup toolchain install nightly"; \
	else \
		CARGO_TARGET_DIR=$(TARGET_DIR)/sanitize RUSTFLAGS="-Zsanitizer=address" ASAN_OPTIONS=detect_leaks=0 \
			$(CARGO) +nightly test --lib --target $$(rustc -vV | sed -n 's/^host: //p') -- ds:: keyspace:: value::; \
	fi

lint clippy: prerequisites
	$(CARGO) clippy --all-targets -- -D warnings

fmt-check: prerequisites
	$(CARGO) fmt --check

# Our server beside redis-server (and valkey-server): ARGS="--quick", "--only str16,SET". Wants a quiet machine.
bench: build
	@command -v python3 >/dev/null 2>&1 || { echo "make: python3 is missing: apt-get install python3"; exit 1; }
	python3 tools/bench/bench.py --server $(SERVER) $(ARGS)

# The parts alone: every program of tools/bench that Cargo.toml names bench-*.
bench-parts: prerequisites
	@set -e; for name in $$(sed -n 's/^name = "\(bench-.*\)"/\1/p' Cargo.toml); do \
		echo "== $$name"; $(CARGO) run --release --example $$name -- $(ARGS); done

# TIME seconds for each target; what it finds lands in tools/fuzz/artifacts, what it learns in tools/fuzz/corpus.
# Leaks are not looked for: a helper thread that ends a moment later than its server would be one.
fuzz: prerequisites
	@{ $(CARGO) +nightly --version && $(CARGO) fuzz --version; } >/dev/null 2>&1 || { \
		echo "make: cargo-fuzz on nightly is missing: rustup toolchain install nightly && cargo install cargo-fuzz"; exit 1; }
	@set -e; for target in $(FUZZ_TARGETS); do echo "== $$target"; mkdir -p tools/fuzz/corpus/$$target; \
		$(CARGO) +nightly fuzz run --fuzz-dir tools/fuzz $$target tools/fuzz/corpus/$$target tests/data/fuzz/$$target \
			-- -max_total_time=$(TIME) -max_len=16384 -detect_leaks=0 -print_final_stats=1; done

# The programs, man pages, units of systemd and configuration; `uninstall` removes exactly these. A configuration file
# that is there stays; LINKS=1 also makes the names of Redis's programs.
TOOL_LINKS := redust-sentinel redust-check-rdb redust-check-aof
REDIS_LINKS := redis-server redis-sentinel redis-check-rdb redis-check-aof
UNITS := redust.service redust-sentinel.service redust-backup.service redust-backup.timer
CONFIGURATION := redust.conf sentinel.conf backup.conf
MAN_PAGES := $(notdir $(wildcard doc/man/*.[15]))

install: build
	install -d "$(BINDIR)" "$(UNITDIR)" "$(SYSUSERSDIR)" "$(TMPFILESDIR)" "$(MANDIR)/man1" "$(MANDIR)/man5" "$(CONFDIR)"
	install -m 755 "$(SERVER)" "$(BINDIR)/redust-server"
	install -m 755 tools/redust-backup "$(BINDIR)/redust-backup"
	@set -e; cd tools/packaging; \
	for name in $(TOOL_LINKS) $(if $(filter 1,$(LINKS)),$(REDIS_LINKS)); do \
		ln -sf redust-server "$(BINDIR)/$$name"; done; \
	for name in $(UNITS); do \
		sed -e 's|/usr/local/bin/|$(PREFIX)/bin/|' -e 's|/etc/redust|$(SYSCONFDIR)/redust|' $$name >"$(UNITDIR)/$$name"; \
		chmod 644 "$(UNITDIR)/$$name"; done; \
	install -m 644 redust.sysusers "$(SYSUSERSDIR)/redust.conf"; \
	install -m 644 redust.tmpfiles "$(TMPFILESDIR)/redust.conf"; \
	for page in $(MAN_PAGES); do \
		install -m 644 ../../doc/man/$$page "$(MANDIR)/man$${page##*.}/$$page"; done; \
	for name in $(CONFIGURATION); do \
		if [ -e "$(CONFDIR)/$$name" ]; then echo "make: $(CONFDIR)/$$name is there and stays"; \
		else install -m 644 $$name "$(CONFDIR)/$$name"; fi; done
	@[ -n "$(DESTDIR)" ] || echo "make: as a service: systemd-sysusers; systemd-tmpfiles --create; systemctl daemon-reload;" \
		"systemctl enable --now redust redust-backup.timer"

# Removes redis-* only where it is our link, and configuration only where nobody has changed it.
uninstall:
	@for name in $(REDIS_LINKS); do \
		[ "$$(readlink "$(BINDIR)/$$name" 2>/dev/null)" = redust-server ] && rm -f "$(BINDIR)/$$name"; done; \
	for name in $(CONFIGURATION); do \
		if cmp -s "tools/packaging/$$name" "$(CONFDIR)/$$name"; then rm -f "$(CONFDIR)/$$name"; \
		elif [ -e "$(CONFDIR)/$$name" ]; then echo "make: $(CONFDIR)/$$name was changed and stays"; fi; done; \
	for page in $(MAN_PAGES); do rm -f "$(MANDIR)/man$${page##*.}/$$page"; done; \
	for name in $(UNITS); do rm -f "$(UNITDIR)/$$name"; done; \
	for name in redust-server redust-backup $(TOOL_LINKS); do rm -f "$(BINDIR)/$$name"; done; \
	rm -f "$(SYSUSERSDIR)/redust.conf" "$(TMPFILESDIR)/redust.conf"; \
	rmdir "$(CONFDIR)" 2>/dev/null || true

clean:
	$(CARGO) clean
	rm -rf tests/tmp
