// The loaded library, shared by the files of this target.
#pragma once
#include "COneDNN.h"

#if __has_include(<oneapi/dnnl/dnnl.h>)
#include <oneapi/dnnl/dnnl.h>
#if DNNL_VERSION_MAJOR == 2
#define ONEDNN_HEADERS 1
#endif
#endif

#ifdef ONEDNN_HEADERS

// Every function of the library that is called here.
#define ONEDNN_FUNCTIONS(FUNCTION) \
  FUNCTION(dnnl_version) \
  FUNCTION(dnnl_get_effective_cpu_isa) \
  FUNCTION(dnnl_sgemm) \
  FUNCTION(dnnl_engine_create) \
  FUNCTION(dnnl_stream_create) \
  FUNCTION(dnnl_stream_wait) \
  FUNCTION(dnnl_stream_destroy) \
  FUNCTION(dnnl_memory_desc_init_by_strides) \
  FUNCTION(dnnl_memory_desc_get_size) \
  FUNCTION(dnnl_memory_create) \
  FUNCTION(dnnl_memory_set_data_handle) \
  FUNCTION(dnnl_memory_destroy) \
  FUNCTION(dnnl_post_ops_create) \
  FUNCTION(dnnl_post_ops_append_sum) \
  FUNCTION(dnnl_post_ops_destroy) \
  FUNCTION(dnnl_primitive_attr_create) \
  FUNCTION(dnnl_primitive_attr_set_output_scales) \
  FUNCTION(dnnl_primitive_attr_set_post_ops) \
  FUNCTION(dnnl_primitive_attr_set_scratchpad_mode) \
  FUNCTION(dnnl_primitive_attr_destroy) \
  FUNCTION(dnnl_matmul_desc_init) \
  FUNCTION(dnnl_primitive_desc_create) \
  FUNCTION(dnnl_primitive_desc_query_md) \
  FUNCTION(dnnl_primitive_desc_destroy) \
  FUNCTION(dnnl_primitive_create) \
  FUNCTION(dnnl_primitive_execute) \
  FUNCTION(dnnl_primitive_destroy)

struct OneDNNLibrary {
#define FUNCTION(name) __typeof__(name) *name;
  ONEDNN_FUNCTIONS(FUNCTION)
#undef FUNCTION
  dnnl_engine_t engine;
};

// Filled by oneDNNLoad, constant afterwards.
extern struct OneDNNLibrary oneDNN;

// Holds OpenMP to the calling thread; before any call that computes or makes a primitive, which is made for as many
// threads as OpenMP would take then.
void oneDNNPrepareThread(void);

// Whether a bf16 primitive of the most general form can be made.
int oneDNNProbeBF16(void);

#endif
