/* A layer between a server and its files, loaded with LD_PRELOAD: it makes calls on files below one directory
 * fail, end early, take long or end the process, and it writes down what reached the disk.
 *
 *   FAULT_DIR   the directory; calls on anything else pass through untouched
 *   FAULT_CTL   a file of int64 fields (enum field), shared with the test, which changes them at any time
 *   FAULT_LOG   optional: a line for each change, from which the test builds what a power loss would leave
 *   FAULT_GRAVE optional: a directory beside FAULT_DIR that keeps a link to each file that loses its name there
 *
 * Lines of the log; names are relative to FAULT_DIR, and a line is written when its call has succeeded:
 *
 *   C ino name    created            Z ino         emptied by open     T ino size    cut or grown
 *   W ino size    written up to      s ino         a sync began        S ino         that sync is done
 *   R from to ino renamed            U name ino    deleted             M name ino    directory made
 *
 * Nothing here allocates: it runs in the server's threads and in its forked children. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* The fields of the control file; faults.py has the same list. */
enum field {
    MAIN_PID, /* set here: the process that is not a child */
    OPS,      /* calls counted so far: those of a class in MASK by a process in SCOPE */
    MASK,     /* classes that count, see below */
    SCOPE,    /* 0 everybody, 1 forked children, 2 the main process */
    AT,       /* the action is taken when OPS has reached it; 0: never */
    TIMES,    /* at so many calls in a row; negative: at all from then on */
    ACTION,   /* see below */
    ERROR,    /* for FAIL: the errno */
    SPACE,    /* bytes that can still be written, then ENOSPC; negative: no limit */
    PIECE,    /* one write takes at most so many bytes; 0: no limit */
    LIMIT,    /* a write of more bytes by the main process fails with ENOSPC; 0: no limit */
    SLOW,     /* milliseconds that a sync of a file takes */
    HITS,     /* set here: how often the action was taken */
    FIELDS
};
enum { WRITE = 1, SYNC = 2, RENAME = 4, OPEN = 8, CUT = 16, UNLINK = 32, MKDIR = 64 };
enum { FAIL = 1, KILL_BEFORE, KILL_AFTER, KILL_HALF };

#define FDS 4096
static volatile int64_t none[FIELDS], *ctl = none;
static char root[PATH_MAX], grave[PATH_MAX];
static size_t root_len;
static int log_fd = -1;
/* Which descriptors are files below the directory: 1 a file, 2 a directory. */
static unsigned char kind[FDS];
static uint64_t inode[FDS];


__attribute__((constructor)) static void begin(void) {
    const char *dir = getenv("FAULT_DIR"), *path = getenv("FAULT_CTL"), *log = getenv("FAULT_LOG");
    const char *kept = getenv("FAULT_GRAVE");
    if (!dir || !path) return;
    int fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0) return;
    void *at = mmap(NULL, FIELDS * 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (at == MAP_FAILED) return;
    snprintf(root, sizeof root, "%s", dir);
    root_len = strlen(root);
    if (kept) snprintf(grave, sizeof grave, "%s", kept);
    if (log) log_fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    ctl = at;
    ctl[MAIN_PID] = getpid();
}

static int in_scope(void) {
    int64_t scope = ctl[SCOPE];
    return scope == 0 || (scope == 1) == (getpid() != ctl[MAIN_PID]);
}

/* What is to happen at this call: 0 or an action. A kill before the call is done here. */
static int due(int class) {
    if (!(ctl[MASK] & class) || !in_scope()) return 0;
    int64_t n = __atomic_add_fetch(&ctl[OPS], 1, __ATOMIC_SEQ_CST), at = ctl[AT];
    if (at == 0 || n < at || (ctl[TIMES] >= 0 && n >= at + ctl[TIMES])) return 0;
    __atomic_add_fetch(&ctl[HITS], 1, __ATOMIC_SEQ_CST);
    if (ctl[ACTION] == KILL_BEFORE) kill(getpid(), SIGKILL);
    if (ctl[ACTION] == FAIL) errno = (int)ctl[ERROR];
    return (int)ctl[ACTION];
}

static void after(int action) {
    int kept = errno;
    if (action == KILL_AFTER || action == KILL_HALF) kill(getpid(), SIGKILL);
    errno = kept;
}

__attribute__((format(printf, 1, 2))) static void note(const char *format, ...) {
    if (log_fd < 0) return;
    int kept = errno;
    char line[2 * PATH_MAX];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (syscall(SYS_write, log_fd, line, (size_t)len) != len) kill(getpid(), SIGKILL);
    errno = kept;
}

/* The name below the directory, or NULL if it lies elsewhere. */
static const char *below(const char *path, char *buf) {
    if (ctl == none) return NULL;
    while (path[0] == '.' && path[1] == '/') path += 2;
    if (path[0] == '/') {
        snprintf(buf, PATH_MAX, "%s", path);
    } else {
        char cwd[PATH_MAX / 2];
        if (syscall(SYS_getcwd, cwd, sizeof cwd) < 0) return NULL;
        snprintf(buf, PATH_MAX, strcmp(path, ".") ? "%s/%s" : "%s", cwd, path);
    }
    if (strncmp(buf, root, root_len)) return NULL;
    if (buf[root_len] == 0) return ".";
    return buf[root_len] == '/' ? buf + root_len + 1 : NULL;
}

static uint64_t inode_of(const char *path) {
    struct stat st;
    return path && lstat(path, &st) == 0 ? st.st_ino : 0;
}

/* Before a file loses a name: it gets one in the other directory. */
static void keep(const char *path, uint64_t ino) {
    if (!ino || !grave[0]) return;
    char to[PATH_MAX + 32];
    snprintf(to, sizeof to, "%s/%llu", grave, (unsigned long long)ino);
    int kept = errno;
    if (syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, to, 0) && errno != EEXIST) note("? %s\n", path);
    errno = kept;
}

static int open_with(const char *path, int flags, mode_t mode) {
    char buf[PATH_MAX];
    const char *name = below(path, buf);
    if (!name) return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    int writes = (flags & O_ACCMODE) != O_RDONLY, action = 0;
    uint64_t before = writes ? inode_of(path) : 0;
    if (writes && (action = due(OPEN)) == FAIL) return -1;
    int fd = syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    struct stat st;
    if (fd >= 0 && fd < FDS && fstat(fd, &st) == 0) {
        kind[fd] = S_ISDIR(st.st_mode) ? 2 : S_ISREG(st.st_mode) ? 1 : 0;
        inode[fd] = st.st_ino;
        if (writes && !before) note("C %llu %s\n", (unsigned long long)st.st_ino, name);
        if (writes && before && flags & O_TRUNC) note("Z %llu\n", (unsigned long long)st.st_ino);
    }
    after(action);
    return fd;
}
static int open_args(const char *path, int flags, va_list args) {
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
    return open_with(path, flags, mode);
}
#define OPEN_CALL(name)                              \
    int name(const char *path, int flags, ...) {     \
        va_list args;                                \
        va_start(args, flags);                       \
        int fd = open_args(path, flags, args);       \
        va_end(args);                                \
        return fd;                                   \
    }
OPEN_CALL(open)
OPEN_CALL(open64)

int close(int fd) {
    if (fd >= 0 && fd < FDS) kind[fd] = 0;
    return syscall(SYS_close, fd);
}

static int is_file(int fd) { return fd >= 0 && fd < FDS && kind[fd] == 1; }

/* All writes come here; `offset` is negative where the file's own position counts. */
static ssize_t write_some(int fd, const struct iovec *iov, int count, off_t offset) {
    size_t total = 0, limit;
    for (int i = 0; i < count; i++) total += iov[i].iov_len;
    int action = due(WRITE);
    if (action == FAIL) return -1;
    if (ctl[LIMIT] > 0 && total > (size_t)ctl[LIMIT] && getpid() == ctl[MAIN_PID]) {
        errno = ENOSPC;
        return -1;
    }
    limit = total;
    if (action == KILL_HALF) limit = total / 2;
    if (in_scope()) {
        int64_t piece = ctl[PIECE], space = ctl[SPACE];
        if (piece > 0 && limit > (size_t)piece) limit = piece;
        if (space >= 0) {
            if (space == 0) {
                errno = ENOSPC;
                return -1;
            }
            if (limit > (size_t)space) limit = space;
            __atomic_sub_fetch(&ctl[SPACE], limit, __ATOMIC_SEQ_CST);
        }
    }
    struct iovec cut[IOV_MAX];
    size_t left = limit;
    int used = 0;
    for (; used < count && used < IOV_MAX && (left > 0 || used == 0); used++) {
        cut[used] = iov[used];
        if (cut[used].iov_len > left) cut[used].iov_len = left;
        left -= cut[used].iov_len;
    }
    ssize_t n = offset < 0 ? syscall(SYS_writev, fd, cut, used)
                           : syscall(SYS_pwritev, fd, cut, used, offset, 0);
    if (n > 0 && log_fd >= 0) {
        off_t end = offset < 0 ? lseek(fd, 0, SEEK_CUR) : offset + n;
        note("W %llu %lld\n", (unsigned long long)inode[fd], (long long)end);
    }
    after(action);
    return n;
}
ssize_t write(int fd, const void *buf, size_t len) {
    if (!is_file(fd)) return syscall(SYS_write, fd, buf, len);
    struct iovec one = {(void *)buf, len};
    return write_some(fd, &one, 1, -1);
}
ssize_t writev(int fd, const struct iovec *iov, int count) {
    return is_file(fd) ? write_some(fd, iov, count, -1) : syscall(SYS_writev, fd, iov, count);
}
static ssize_t pwrite_any(int fd, const void *buf, size_t len, off_t offset) {
    if (!is_file(fd)) return syscall(SYS_pwrite64, fd, buf, len, offset);
    struct iovec one = {(void *)buf, len};
    return write_some(fd, &one, 1, offset);
}
ssize_t pwrite(int fd, const void *buf, size_t len, off_t offset) { return pwrite_any(fd, buf, len, offset); }
ssize_t pwrite64(int fd, const void *buf, size_t len, off_t offset) { return pwrite_any(fd, buf, len, offset); }

static int sync_file(int fd, long call) {
    if (fd < 0 || fd >= FDS || !kind[fd]) return syscall(call, fd);
    uint64_t ino = inode[fd];
    int action = due(SYNC);
    if (action == FAIL) return -1;
    note("s %llu\n", (unsigned long long)ino);
    int64_t ms = kind[fd] == 1 && in_scope() ? ctl[SLOW] : 0;
    if (ms > 0) {
        struct timespec wait = {ms / 1000, ms % 1000 * 1000000};
        nanosleep(&wait, NULL);
    }
    /* Half a sync is one that did not end. */
    if (action == KILL_HALF) after(action);
    int result = syscall(call, fd);
    if (result == 0) note("S %llu\n", (unsigned long long)ino);
    after(action);
    return result;
}
int fsync(int fd) { return sync_file(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_file(fd, SYS_fdatasync); }

static int cut_file(int fd, off_t size) {
    if (!is_file(fd)) return syscall(SYS_ftruncate, fd, size);
    int action = due(CUT);
    if (action == FAIL) return -1;
    int result = syscall(SYS_ftruncate, fd, size);
    if (result == 0) note("T %llu %lld\n", (unsigned long long)inode[fd], (long long)size);
    after(action);
    return result;
}
int ftruncate(int fd, off_t size) { return cut_file(fd, size); }
int ftruncate64(int fd, off_t size) { return cut_file(fd, size); }

int rename(const char *from, const char *to) {
    char one[PATH_MAX], two[PATH_MAX];
    const char *source = below(from, one), *target = below(to, two);
    if (!source || !target) return syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
    int action = due(RENAME);
    if (action == FAIL) return -1;
    uint64_t ino = inode_of(from);
    keep(to, inode_of(to));
    int result = syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
    if (result == 0) note("R %s %s %llu\n", source, target, (unsigned long long)ino);
    after(action);
    return result;
}

int unlink(const char *path) {
    char buf[PATH_MAX];
    const char *name = below(path, buf);
    if (!name) return syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    int action = due(UNLINK);
    if (action == FAIL) return -1;
    uint64_t ino = inode_of(path);
    keep(path, ino);
    int result = syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    if (result == 0) note("U %s %llu\n", name, (unsigned long long)ino);
    after(action);
    return result;
}

int mkdir(const char *path, mode_t mode) {
    char buf[PATH_MAX];
    const char *name = below(path, buf);
    if (!name) return syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    int action = due(MKDIR);
    if (action == FAIL) return -1;
    int result = syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    if (result == 0) note("M %s %llu\n", name, (unsigned long long)inode_of(path));
    after(action);
    return result;
}
