//go:build cuda

#include "lt.h"
#include <dlfcn.h>
#include <stdio.h>

typedef void *handle;
typedef struct {
  lt_algo algo;
  size_t workspace;
  int state;
  float waves;
  int reserved[4];
} found; // cublasLtMatmulHeuristicResult_t

#define TABLE(X)                                                                                                                    \
  X(0, version, "cublasLtGetVersion", size_t, (void))                                                                               \
  X(1, name, "cublasLtGetStatusName", const char *, (int))                                                                          \
  X(0, create, "cublasLtCreate", int, (handle *))                                                                                   \
  X(0, descnew, "cublasLtMatmulDescCreate", int, (void **, int, int))                                                               \
  X(0, descset, "cublasLtMatmulDescSetAttribute", int, (void *, int, const void *, size_t))                                         \
  X(0, descfree, "cublasLtMatmulDescDestroy", int, (void *))                                                                        \
  X(0, laynew, "cublasLtMatrixLayoutCreate", int, (void **, int, uint64_t, uint64_t, int64_t))                                      \
  X(0, layset, "cublasLtMatrixLayoutSetAttribute", int, (void *, int, const void *, size_t))                                        \
  X(0, layfree, "cublasLtMatrixLayoutDestroy", int, (void *))                                                                       \
  X(0, prefnew, "cublasLtMatmulPreferenceCreate", int, (void **))                                                                   \
  X(0, prefset, "cublasLtMatmulPreferenceSetAttribute", int, (void *, int, const void *, size_t))                                   \
  X(0, preffree, "cublasLtMatmulPreferenceDestroy", int, (void *))                                                                  \
  X(0, heuristic, "cublasLtMatmulAlgoGetHeuristic", int, (handle, void *, void *, void *, void *, void *, void *, int, found *, int *)) \
  X(0, check, "cublasLtMatmulAlgoCheck", int, (handle, void *, void *, void *, void *, void *, const lt_algo *, found *))           \
  X(0, matmul, "cublasLtMatmul", int,                                                                                               \
    (handle, void *, const void *, const void *, void *, const void *, void *, const void *, const void *, void *, void *, void *, const lt_algo *, void *, size_t, void *))

#define FIELD(optional, field, name, type, params) type(*field) params;
static struct { TABLE(FIELD) } lt;

int lt_open(const char *path, char *err, size_t errlen) {
  void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!lib) {
    snprintf(err, errlen, "%s", dlerror());
    return -1;
  }
#define LOAD(optional, field, name, type, params)                                    \
  *(void **)&lt.field = dlsym(lib, name);                                            \
  if (!optional && !lt.field) {                                                      \
    snprintf(err, errlen, "%s has no %s: want that of CUDA 11 or newer", path, name); \
    return -1;                                                                       \
  }
  TABLE(LOAD)
  return 0;
}

size_t lt_version(void) { return lt.version(); }
const char *lt_status(int code) { return lt.name ? lt.name(code) : "CUBLAS_STATUS"; }
int lt_create(void **h) { return lt.create(h); }

enum { R_32F = 0, OP_N = 0, OP_T = 1, DESC_TRANSA = 3, DESC_TRANSB = 4, DESC_EPILOGUE = 7, DESC_BIAS = 8, EPILOGUE_BIAS = 4, LAYOUT_BATCH = 5, LAYOUT_STEP = 6,
       PREF_WORKSPACE = 1, PREF_REDUCTION = 3, PREF_ALIGN_A = 5, PREF_ALIGN_D = 8, REDUCE_IN_COMPUTE_TYPE = 2 };

// described is what the library is told of a product: its A is our b, its B our a.
typedef struct { void *desc, *a, *b, *out; } described;

static void forget(described *d) {
  if (d->desc) lt.descfree(d->desc);
  void *layouts[] = {d->a, d->b, d->out};
  for (int i = 0; i < 3; i++)
    if (layouts[i]) lt.layfree(layouts[i]);
}

#define TRY(call)            \
  do {                       \
    int r_ = (call);         \
    if (r_) return r_;       \
  } while (0)

static int layout(void **out, int type, uint64_t rows, uint64_t cols, int64_t ld, int32_t batch, int64_t step) {
  TRY(lt.laynew(out, type, rows, cols, ld));
  if (batch == 1) return 0;
  TRY(lt.layset(*out, LAYOUT_BATCH, &batch, sizeof batch));
  return lt.layset(*out, LAYOUT_STEP, &step, sizeof step);
}

static int describe(const lt_product *p, described *d) {
  *d = (described){0};
  TRY(lt.descnew(&d->desc, p->compute, R_32F));
  int32_t left = p->trans_b ? OP_T : OP_N, right = p->trans_a ? OP_T : OP_N;
  TRY(lt.descset(d->desc, DESC_TRANSA, &left, sizeof left));
  TRY(lt.descset(d->desc, DESC_TRANSB, &right, sizeof right));
  if (p->biased) {
    uint32_t epilogue = EPILOGUE_BIAS;
    const void *bias = p->bias ? p->bias : (const void *)16;
    TRY(lt.descset(d->desc, DESC_EPILOGUE, &epilogue, sizeof epilogue));
    TRY(lt.descset(d->desc, DESC_BIAS, &bias, sizeof bias));
  }
  TRY(layout(&d->a, p->type, p->trans_b ? p->k : p->n, p->trans_b ? p->n : p->k, p->ldb, p->batch, p->step_b));
  TRY(layout(&d->b, p->type, p->trans_a ? p->m : p->k, p->trans_a ? p->k : p->m, p->lda, p->batch, p->step_a));
  return layout(&d->out, R_32F, p->n, p->m, (int64_t)p->n, p->batch, (int64_t)(p->m * p->n));
}

static int prefer(void *pref, size_t workspace) {
  uint64_t most = workspace;
  uint32_t reduction = REDUCE_IN_COMPUTE_TYPE, align = 16; // sums of parts in an order of their own, in float32
  TRY(lt.prefset(pref, PREF_WORKSPACE, &most, sizeof most));
  TRY(lt.prefset(pref, PREF_REDUCTION, &reduction, sizeof reduction));
  for (int i = PREF_ALIGN_A; i <= PREF_ALIGN_D; i++) TRY(lt.prefset(pref, i, &align, sizeof align));
  return 0;
}

int lt_ways(void *h, const lt_product *p, size_t workspace, lt_algo *algos, size_t *needs, int *n) {
  enum { MOST = 32 };
  found all[MOST];
  described d;
  void *pref = NULL;
  int count = 0, want = *n < MOST ? *n : MOST, r = describe(p, &d);
  *n = 0;
  if (!r) r = lt.prefnew(&pref);
  if (!r) r = prefer(pref, workspace);
  if (!r) r = lt.heuristic(h, d.desc, d.a, d.b, d.out, d.out, pref, want, all, &count);
  for (int i = 0; !r && i < count; i++)
    if (!all[i].state) algos[*n] = all[i].algo, needs[(*n)++] = all[i].workspace;
  if (pref) lt.preffree(pref);
  forget(&d);
  return r;
}

int lt_check(void *h, const lt_product *p, const lt_algo *algo, size_t *needs) {
  found f = {0};
  described d;
  int r = describe(p, &d);
  if (!r) r = lt.check(h, d.desc, d.a, d.b, d.out, d.out, algo, &f);
  if (!r) r = f.state;
  *needs = f.workspace;
  forget(&d);
  return r;
}

int lt_run(void *h, const lt_product *p, const void *a, const void *b, const void *c, void *out, const lt_algo *algo, void *workspace, size_t bytes, void *stream) {
  described d;
  int r = describe(p, &d);
  if (!r) r = lt.matmul(h, d.desc, &p->alpha, b, d.a, a, d.b, &p->beta, c, d.out, out, d.out, algo, workspace, bytes, stream);
  forget(&d);
  return r;
}
