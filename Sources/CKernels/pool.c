#define _GNU_SOURCE
#include "Pool.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

// A job is published by storing a new `ticket`: generation in the high half, next task in the low one. A task is
// claimed by a compare-and-swap on the whole ticket, so a thread that read an older job's fields cannot claim from the
// new one, and nobody has to wait for a sleeping thread to notice a job that is already done.
static _Atomic uint64_t ticket;
static _Atomic uint32_t generation;
static _Atomic int taskCount, tasksDone, sleepers, limit = 1;
static _Atomic(void (*)(void *, int)) jobBody;
static _Atomic(void *) jobContext;

static pthread_mutex_t running = PTHREAD_MUTEX_INITIALIZER;
static int workers; // under `running`
static _Thread_local int insideTask;

// About 20 to 50 microseconds: longer than the gap between two operations of a step, shorter than a scheduler slice.
enum { spins = 1000 };

static void pauseBriefly(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static void takeTasks(uint32_t mine) {
  insideTask = 1;
  uint64_t seen = atomic_load(&ticket);
  while ((uint32_t)(seen >> 32) == mine) {
    int task = (int)(uint32_t)seen;
    if (task >= atomic_load(&taskCount)) break;
    void (*body)(void *, int) = atomic_load(&jobBody);
    void *context = atomic_load(&jobContext);
    if (!atomic_compare_exchange_weak(&ticket, &seen, seen + 1)) continue;
    body(context, task);
    atomic_fetch_add(&tasksDone, 1);
    seen = atomic_load(&ticket);
  }
  insideTask = 0;
}

static void waitForGeneration(uint32_t old) {
  for (int i = 0; i < spins; i++) {
    if (atomic_load(&generation) != old) return;
    pauseBriefly();
  }
  atomic_fetch_add(&sleepers, 1);
  while (atomic_load(&generation) == old)
    syscall(SYS_futex, &generation, FUTEX_WAIT_PRIVATE, old, NULL, NULL, 0);
  atomic_fetch_sub(&sleepers, 1);
}

static void *work(void *argument) {
  int index = (int)(intptr_t)argument;
  uint32_t seen = 0;
  for (;;) {
    waitForGeneration(seen);
    seen = atomic_load(&generation);
    if (index < atomic_load(&limit)) takeTasks(seen);
  }
  return NULL;
}

int poolThreads(void) { return atomic_load(&limit); }

int poolResize(int threads) {
  pthread_mutex_lock(&running);
  while (workers + 1 < threads) {
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int refused = pthread_create(&thread, &attributes, work, (void *)(intptr_t)(workers + 1));
    pthread_attr_destroy(&attributes);
    if (refused) break;
    workers++;
  }
  int effective = threads < workers + 1 ? threads : workers + 1;
  atomic_store(&limit, effective < 1 ? 1 : effective);
  pthread_mutex_unlock(&running);
  return poolThreads();
}

void poolRun(int tasks, void (*body)(void *, int), void *context) {
  if (tasks <= 1 || insideTask || poolThreads() == 1 || pthread_mutex_trylock(&running) != 0) {
    for (int task = 0; task < tasks; task++) body(context, task);
    return;
  }
  uint32_t mine = atomic_load(&generation) + 1;
  atomic_store(&ticket, (uint64_t)mine << 32 | INT32_MAX); // no task can be claimed while the fields change
  atomic_store(&taskCount, tasks);
  atomic_store(&tasksDone, 0);
  atomic_store(&jobBody, body);
  atomic_store(&jobContext, context);
  atomic_store(&ticket, (uint64_t)mine << 32);
  atomic_store(&generation, mine);
  if (atomic_load(&sleepers) > 0) syscall(SYS_futex, &generation, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
  takeTasks(mine);
  for (int i = 0; atomic_load(&tasksDone) < tasks; i++) {
    if (i < spins) pauseBriefly();
    else sched_yield();
  }
  pthread_mutex_unlock(&running);
}

int poolAffinityCPUs(void) {
  cpu_set_t set;
  int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : (int)sysconf(_SC_NPROCESSORS_ONLN);
  return count < 1 ? 1 : count;
}

enum { scratchSlots = 8 };

// Freed when its thread ends.
struct Scratch {
  float *base[scratchSlots];
  long count[scratchSlots];
};

static pthread_key_t scratchKey;
static _Thread_local struct Scratch *scratch;

static void freeScratch(void *pointer) {
  struct Scratch *mine = pointer;
  for (int slot = 0; slot < scratchSlots; slot++) free(mine->base[slot]);
  free(mine);
}

static void makeScratchKey(void) { pthread_key_create(&scratchKey, freeScratch); }

float *poolScratch(int slot, long count) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  if (!scratch) {
    pthread_once(&once, makeScratchKey);
    scratch = calloc(1, sizeof *scratch);
    if (!scratch) abort();
    pthread_setspecific(scratchKey, scratch);
  }
  if (scratch->count[slot] < count) {
    long rounded = (count + 1023) / 1024 * 1024;
    free(scratch->base[slot]);
    scratch->base[slot] = aligned_alloc(64, (size_t)rounded * sizeof(float));
    if (!scratch->base[slot]) abort();
    scratch->count[slot] = rounded;
  }
  return scratch->base[slot];
}
