/// The engine's own pool of threads.
#pragma once

#pragma clang assume_nonnull begin

/// Sets how many threads, the caller's own included, share the tasks of `poolRun`; starts the missing ones.
/// Returns the number in effect, smaller where the system refuses a thread.
int poolResize(int threads);

/// The number of threads that share the tasks.
int poolThreads(void);

/// Runs `body(context, 0)` to `body(context, tasks - 1)`, each once, and returns when all are done. Which thread takes
/// which task is left open, so tasks must not depend on it. Called from inside a task, or while another thread's call
/// is under way, it runs every task on the calling thread.
void poolRun(int tasks, void (*body)(void *_Nullable context, int task), void *_Nullable context);

/// CPUs that the affinity mask of this process allows; its control groups may allow less.
int poolAffinityCPUs(void);

/// At least `count` floats for the calling thread alone, 64-byte aligned, contents undefined; valid until the thread
/// asks again for the same slot (0 to 7; matrix products use 6 and 7).
float *poolScratch(int slot, long count);

#pragma clang assume_nonnull end
