#define _GNU_SOURCE
#include "library.h"
#ifdef ONEDNN_HEADERS
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

struct OneDNNLibrary oneDNN;
static void (*setThreads)(int);
static int hasBF16;
static char version[64] = "unknown";
static char failure[512];

static const char *const fileName = "libdnnl.so.2";

static int findFunctions(void *file) {
#define FUNCTION(name) \
  if (!(oneDNN.name = (__typeof__(name) *)dlsym(file, #name))) { \
    snprintf(failure, sizeof failure, "%s has no " #name, fileName); \
    return 0; \
  }
  ONEDNN_FUNCTIONS(FUNCTION)
#undef FUNCTION
  // Looked for in the library's own dependencies too: whichever OpenMP it was linked to.
  setThreads = (void (*)(int))dlsym(file, "omp_set_num_threads");
  if (!setThreads) snprintf(failure, sizeof failure, "%s does not run on OpenMP, so its threads cannot be held", fileName);
  return setThreads != NULL;
}

static void load(void) {
  void *file = dlopen(fileName, RTLD_NOW | RTLD_LOCAL);
  if (!file) {
    snprintf(failure, sizeof failure, "cannot load oneDNN: %s", dlerror());
    return;
  }
  if (!findFunctions(file)) return;
  const dnnl_version_t *found = oneDNN.dnnl_version();
  snprintf(version, sizeof version, "%d.%d.%d", found->major, found->minor, found->patch);
  oneDNNPrepareThread();
  dnnl_status_t status = oneDNN.dnnl_engine_create(&oneDNN.engine, dnnl_cpu, 0);
  if (status != dnnl_success) {
    snprintf(failure, sizeof failure, "oneDNN %s does not start: status %d", version, (int)status);
    return;
  }
  hasBF16 = oneDNNProbeBF16();
}

const char *oneDNNLoad(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load);
  return failure[0] ? failure : NULL;
}

void oneDNNPrepareThread(void) {
  static _Thread_local int isPrepared;
  if (isPrepared) return;
  setThreads(1);
  isPrepared = 1;
}

const char *oneDNNVersion(void) { return version; }

const char *oneDNNInstructionSet(void) {
  switch ((int)oneDNN.dnnl_get_effective_cpu_isa()) {
  case dnnl_cpu_isa_sse41: return "sse41";
  case dnnl_cpu_isa_avx: return "avx";
  case dnnl_cpu_isa_avx2: return "avx2";
  case dnnl_cpu_isa_avx2_vnni: return "avx2_vnni";
  case dnnl_cpu_isa_avx512_core: return "avx512_core";
  case dnnl_cpu_isa_avx512_core_vnni: return "avx512_core_vnni";
  case dnnl_cpu_isa_avx512_core_bf16: return "avx512_core_bf16";
  case dnnl_cpu_isa_avx512_core_amx: return "avx512_core_amx";
  default: return "other";
  }
}

int oneDNNHasBF16(void) { return hasBF16; }

#endif
