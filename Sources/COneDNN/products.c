#define _GNU_SOURCE
#include "library.h"
#ifdef ONEDNN_HEADERS
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What a primitive is made for. Fields of four bytes without gaps, so that keys are compared as bytes.
struct Product {
  int32_t type; // dnnl_data_type_t of a and b
  int32_t transposeA, transposeB, rows, columns, inner, strideA, strideB, strideC;
  float alpha, beta;
};

// A primitive with the memory objects that it is run on. The addresses of a, b and c are set anew for each run.
struct Primitive {
  struct Product product;
  uint64_t lastUse;
  dnnl_primitive_t primitive;
  dnnl_memory_t a, b, c, scratchpad;
  size_t scratchpadSize;
};

// Never shared between threads. oneDNN's own scratchpad belongs to the thread that made the primitive and is freed with
// it; ours serves all primitives of its thread, one at a time.
enum { mostPrimitives = 128 };
struct Kept {
  struct Primitive primitives[mostPrimitives];
  int count;
  uint64_t uses;
  dnnl_stream_t stream;
  void *scratchpad;
  size_t scratchpadSize;
};

_Noreturn static void stop(const char *what, dnnl_status_t status, const struct Product *product) {
  fprintf(
      stderr, "oneDNN cannot %s a product of %d x %d by %d x %d, strides %d, %d and %d: status %d\n", what,
      product->rows, product->inner, product->inner, product->columns, product->strideA, product->strideB,
      product->strideC, (int)status);
  abort();
}

// MARK: Making a primitive

static dnnl_status_t describe(
    dnnl_memory_desc_t *matrix, int rows, int columns, int stride, int isTransposed, dnnl_data_type_t type) {
  dnnl_dims_t sizes = {rows, columns}, strides = {isTransposed ? 1 : stride, isTransposed ? stride : 1};
  return oneDNN.dnnl_memory_desc_init_by_strides(matrix, 2, sizes, type, strides);
}

// The attributes that say alpha, beta and who owns the scratchpad.
static dnnl_status_t makeAttributes(const struct Product *product, dnnl_primitive_attr_t *attributes) {
  dnnl_post_ops_t operations = NULL;
  dnnl_status_t status = oneDNN.dnnl_primitive_attr_create(attributes);
  if (status == dnnl_success)
    status = oneDNN.dnnl_primitive_attr_set_scratchpad_mode(*attributes, dnnl_scratchpad_mode_user);
  if (status == dnnl_success && product->alpha != 1)
    status = oneDNN.dnnl_primitive_attr_set_output_scales(*attributes, 1, 0, &product->alpha);
  if (status == dnnl_success && product->beta != 0) {
    status = oneDNN.dnnl_post_ops_create(&operations);
    if (status == dnnl_success) status = oneDNN.dnnl_post_ops_append_sum(operations, product->beta);
    if (status == dnnl_success) status = oneDNN.dnnl_primitive_attr_set_post_ops(*attributes, operations);
    if (operations) oneDNN.dnnl_post_ops_destroy(operations);
  }
  return status;
}

static dnnl_status_t describeProduct(const struct Product *product, dnnl_matmul_desc_t *matmul) {
  dnnl_memory_desc_t a, b, c;
  dnnl_data_type_t type = (dnnl_data_type_t)product->type;
  dnnl_status_t status = describe(&a, product->rows, product->inner, product->strideA, product->transposeA, type);
  if (status == dnnl_success)
    status = describe(&b, product->inner, product->columns, product->strideB, product->transposeB, type);
  if (status == dnnl_success) status = describe(&c, product->rows, product->columns, product->strideC, 0, dnnl_f32);
  return status == dnnl_success ? oneDNN.dnnl_matmul_desc_init(matmul, &a, &b, NULL, &c) : status;
}

static dnnl_status_t makeMemory(dnnl_memory_t *memory, dnnl_primitive_desc_t description, dnnl_query_t what) {
  const dnnl_memory_desc_t *matrix = oneDNN.dnnl_primitive_desc_query_md(description, what, 0);
  return oneDNN.dnnl_memory_create(memory, matrix, oneDNN.engine, DNNL_MEMORY_NONE);
}

static dnnl_status_t fill(struct Primitive *made, dnnl_primitive_desc_t description) {
  dnnl_status_t status = oneDNN.dnnl_primitive_create(&made->primitive, description);
  if (status == dnnl_success) status = makeMemory(&made->a, description, dnnl_query_src_md);
  if (status == dnnl_success) status = makeMemory(&made->b, description, dnnl_query_weights_md);
  if (status == dnnl_success) status = makeMemory(&made->c, description, dnnl_query_dst_md);
  if (status == dnnl_success) status = makeMemory(&made->scratchpad, description, dnnl_query_scratchpad_md);
  made->scratchpadSize = oneDNN.dnnl_memory_desc_get_size(
      oneDNN.dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0));
  return status;
}

static void discard(struct Primitive *primitive) {
  if (primitive->primitive) oneDNN.dnnl_primitive_destroy(primitive->primitive);
  dnnl_memory_t memories[] = {primitive->a, primitive->b, primitive->c, primitive->scratchpad};
  for (int i = 0; i < 4; i++)
    if (memories[i]) oneDNN.dnnl_memory_destroy(memories[i]);
  memset(primitive, 0, sizeof *primitive);
}

static dnnl_status_t make(const struct Product *product, struct Primitive *made) {
  memset(made, 0, sizeof *made);
  made->product = *product;
  dnnl_matmul_desc_t matmul;
  dnnl_primitive_attr_t attributes = NULL;
  dnnl_primitive_desc_t description = NULL;
  dnnl_status_t status = describeProduct(product, &matmul);
  if (status == dnnl_success) status = makeAttributes(product, &attributes);
  if (status == dnnl_success)
    status = oneDNN.dnnl_primitive_desc_create(&description, &matmul, attributes, oneDNN.engine, NULL);
  if (status == dnnl_success) status = fill(made, description);
  if (description) oneDNN.dnnl_primitive_desc_destroy(description);
  if (attributes) oneDNN.dnnl_primitive_attr_destroy(attributes);
  if (status != dnnl_success) discard(made);
  return status;
}

int oneDNNProbeBF16(void) {
  struct Product product = {
    .type = dnnl_bf16, .transposeA = 1, .transposeB = 1, .rows = 17, .columns = 19, .inner = 23, .strideA = 18,
    .strideB = 24, .strideC = 20, .alpha = 0.5f, .beta = 1};
  struct Primitive made;
  if (make(&product, &made) != dnnl_success) return 0;
  discard(&made);
  return 1;
}

// MARK: Keeping primitives

static pthread_key_t keptKey;
static _Thread_local struct Kept *kept;

static void discardKept(void *pointer) {
  struct Kept *mine = pointer;
  for (int i = 0; i < mine->count; i++) discard(&mine->primitives[i]);
  oneDNN.dnnl_stream_destroy(mine->stream);
  free(mine->scratchpad);
  free(mine);
}

static void makeKeptKey(void) { pthread_key_create(&keptKey, discardKept); }

// What the calling thread keeps; given back when the thread ends.
static struct Kept *keptOfThread(const struct Product *product) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  if (kept) return kept;
  pthread_once(&once, makeKeptKey);
  kept = calloc(1, sizeof *kept);
  if (!kept) stop("keep", dnnl_out_of_memory, product);
  dnnl_status_t status = oneDNN.dnnl_stream_create(&kept->stream, oneDNN.engine, dnnl_stream_default_flags);
  if (status != dnnl_success) stop("keep", status, product);
  pthread_setspecific(keptKey, kept);
  return kept;
}

// The primitive of a product, made where it is not kept; then in the place of the one unused for longest.
static struct Primitive *find(struct Kept *mine, const struct Product *product) {
  struct Primitive *oldest = &mine->primitives[0];
  for (int i = 0; i < mine->count; i++) {
    struct Primitive *candidate = &mine->primitives[i];
    if (memcmp(&candidate->product, product, sizeof *product) == 0) return candidate;
    if (candidate->lastUse < oldest->lastUse) oldest = candidate;
  }
  struct Primitive *place = mine->count < mostPrimitives ? &mine->primitives[mine->count] : oldest;
  struct Primitive made;
  dnnl_status_t status = make(product, &made);
  if (status != dnnl_success) stop("prepare", status, product);
  if (mine->count < mostPrimitives) mine->count++;
  else discard(place);
  *place = made;
  return place;
}

int oneDNNKeptPrimitives(void) { return kept ? kept->count : 0; }

static void reserve(struct Kept *mine, const struct Primitive *primitive) {
  if (mine->scratchpadSize >= primitive->scratchpadSize) return;
  size_t size = (primitive->scratchpadSize + 4095) / 4096 * 4096;
  free(mine->scratchpad);
  mine->scratchpad = aligned_alloc(4096, size);
  if (!mine->scratchpad) stop("make room for", dnnl_out_of_memory, &primitive->product);
  mine->scratchpadSize = size;
}

static dnnl_status_t run(struct Kept *mine, struct Primitive *primitive, const void *a, const void *b, float *c) {
  // The library takes all addresses as writable ones; a and b are only read.
  dnnl_exec_arg_t arguments[] = {
    {DNNL_ARG_SRC, primitive->a},
    {DNNL_ARG_WEIGHTS, primitive->b},
    {DNNL_ARG_DST, primitive->c},
    {DNNL_ARG_SCRATCHPAD, primitive->scratchpad},
  };
  void *addresses[] = {(void *)a, (void *)b, c, mine->scratchpad};
  for (int i = 0; i < 4; i++) {
    dnnl_status_t status = oneDNN.dnnl_memory_set_data_handle(arguments[i].memory, addresses[i]);
    if (status != dnnl_success) return status;
  }
  dnnl_status_t status = oneDNN.dnnl_primitive_execute(primitive->primitive, mine->stream, 4, arguments);
  return status == dnnl_success ? oneDNN.dnnl_stream_wait(mine->stream) : status;
}

// MARK: Products

// A sum over nothing is 0. True where that was all, or where there is no element.
static int multiplyNothing(const struct Product *product, float *c) {
  if (product->rows > 0 && product->columns > 0 && product->inner > 0) return 0;
  for (int row = 0; row < product->rows; row++)
    for (int column = 0; column < product->columns; column++) {
      float *element = c + (long)row * product->strideC + column;
      *element = product->beta == 0 ? 0 : product->beta * *element;
    }
  return 1;
}

static void multiplyByPrimitive(const struct Product *product, const void *a, const void *b, float *c) {
  if (multiplyNothing(product, c)) return;
  oneDNNPrepareThread();
  struct Kept *mine = keptOfThread(product);
  struct Primitive *primitive = find(mine, product);
  primitive->lastUse = ++mine->uses;
  reserve(mine, primitive);
  dnnl_status_t status = run(mine, primitive, a, b, c);
  if (status != dnnl_success) stop("compute", status, product);
}

static struct Product productOf(
    dnnl_data_type_t type, int transposeA, int transposeB, int rows, int columns, int inner, float alpha, int strideA,
    int strideB, float beta, int strideC) {
  return (struct Product){
    .type = type, .transposeA = transposeA != 0, .transposeB = transposeB != 0, .rows = rows, .columns = columns,
    .inner = inner, .strideA = strideA, .strideB = strideB, .strideC = strideC, .alpha = alpha, .beta = beta};
}

void oneDNNMultiply(
    int transposeA, int transposeB, int rows, int columns, int inner, float alpha, const float *a, int strideA,
    const float *b, int strideB, float beta, float *c, int strideC) {
  struct Product product =
      productOf(dnnl_f32, transposeA, transposeB, rows, columns, inner, alpha, strideA, strideB, beta, strideC);
  if (multiplyNothing(&product, c)) return;
  oneDNNPrepareThread();
  dnnl_status_t status = oneDNN.dnnl_sgemm(
      transposeA ? 'T' : 'N', transposeB ? 'T' : 'N', rows, columns, inner, alpha, a, strideA, b, strideB, beta, c,
      strideC);
  if (status != dnnl_success) stop("compute", status, &product);
}

void oneDNNMultiplyByPrimitive(
    int transposeA, int transposeB, int rows, int columns, int inner, float alpha, const float *a, int strideA,
    const float *b, int strideB, float beta, float *c, int strideC) {
  struct Product product =
      productOf(dnnl_f32, transposeA, transposeB, rows, columns, inner, alpha, strideA, strideB, beta, strideC);
  multiplyByPrimitive(&product, a, b, c);
}

void oneDNNMultiplyBF16(
    int transposeA, int transposeB, int rows, int columns, int inner, float alpha, const uint16_t *a, int strideA,
    const uint16_t *b, int strideB, float beta, float *c, int strideC) {
  struct Product product =
      productOf(dnnl_bf16, transposeA, transposeB, rows, columns, inner, alpha, strideA, strideB, beta, strideC);
  multiplyByPrimitive(&product, a, b, c);
}

#endif
