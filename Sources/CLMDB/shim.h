#include <lmdb.h>

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

/// Two names change hands in one step (renameat2(2), RENAME_EXCHANGE, which Swift's Glibc does not show); 0 or -1.
static inline int decant_exchange(const char *one, const char *other) {
  return (int)syscall(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, other, 2);
}
