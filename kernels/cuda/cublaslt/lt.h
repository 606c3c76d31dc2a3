// cuBLASLt as this package uses it: own declarations (ABI facts of its documentation), no toolkit header.
#ifndef SYNTIC_CUBLASLT_H
#define SYNTIC_CUBLASLT_H
#include <stddef.h>
#include <stdint.h>

// lt_product is out[m, n] = alpha · op(a) · op(b) + beta · c + bias[n], row-major, for each of a batch; out and c have rows of n numbers.
typedef struct {
  int compute, type;            // of sums; of the numbers of a and b. Those of the others are float32.
  int trans_a, trans_b;         // a is [k, m], b is [n, k]
  uint64_t m, n, k;
  int64_t lda, ldb;             // numbers from row to row
  int32_t batch;
  int64_t step_a, step_b;       // numbers from one of the batch to the next, 0 where all share one
  float alpha, beta;
  int biased;
  const void *bias;             // NULL where only its alignment counts, which is 16 bytes
} lt_product;

typedef struct { uint64_t word[8]; } lt_algo;

int lt_open(const char *path, char *err, size_t errlen); // 0 or -1 with a message
size_t lt_version(void);
const char *lt_status(int code);
int lt_create(void **handle); // in the context that is current
// lt_ways asks for up to n ways to compute a product, the most promising first, that need no more than workspace bytes and give the same bits each time.
int lt_ways(void *handle, const lt_product *p, size_t workspace, lt_algo *algos, size_t *needs, int *n);
int lt_check(void *handle, const lt_product *p, const lt_algo *algo, size_t *needs); // whether a way takes this product
int lt_run(void *handle, const lt_product *p, const void *a, const void *b, const void *c, void *out, const lt_algo *algo, void *workspace, size_t bytes, void *stream);
#endif
