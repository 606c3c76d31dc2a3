//go:build ignore

// (compiled by ../cublaslt.go, not by the go command)

// A libcublasLt.so for tests, whose products are plain loops over the emulator's memory, put on its streams. It knows three ways: the second needs work space,
// the third takes no depth that is not a multiple of 8. Its numbers of attributes and formats are those of NVIDIA's documentation, written down a second time.
#include <dlfcn.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <functional>
#include <vector>

namespace {
enum { OK, INVALID_VALUE = 7, EXECUTION_FAILED = 13, NOT_SUPPORTED = 15 };
struct Desc { int compute, scale; int32_t ta, tb; uint32_t epilogue; const float *bias; };
struct Layout { int type; uint64_t rows, cols; int64_t ld; int32_t batch; int64_t step; };
struct Pref { uint64_t workspace; uint32_t reduction, align[4]; };
struct Algo { uint64_t word[8]; };
struct Found { Algo algo; size_t workspace; int state; float waves; int reserved[4]; };
static_assert(sizeof(Found) == 96, "as the library lays it out");
const uint64_t mark = 0x66616b65;
const size_t needed = 1024;

void *emulator(const char *name) {
  const char *path = getenv("SYNTIC_LIBCUDA");
  void *lib = path ? dlopen(path, RTLD_NOW | RTLD_NOLOAD) : nullptr;
  return lib ? dlsym(lib, name) : nullptr;
}
bool within(const void *p, size_t bytes) {
  static auto f = (int (*)(const void *, size_t))emulator("synticWithin");
  return f && f(p, bytes);
}
size_t size(int type) { return type == 0 ? 4 : 2; }

float read(const void *p, int type, int64_t i, int compute) {
  uint32_t bits;
  float x;
  if (type == 2) return (float)((const _Float16 *)p)[i];
  bits = type == 14 ? (uint32_t)((const uint16_t *)p)[i] << 16 : ((const uint32_t *)p)[i];
  if (compute == 77) bits = (bits + 0xfff + (bits >> 13 & 1)) & ~0x1fffu;  // to TF32, to nearest even
  memcpy(&x, &bits, 4);
  return x;
}
size_t bytes(const Layout &l) { return size(l.type) * ((l.cols - 1) * l.ld + l.rows + (l.batch - 1) * l.step); }

// fits tells whether a way takes a product: 0 or a status.
int fits(const Desc &d, const Layout &a, const Layout &b, const Layout &out, const Algo &w) {
  const uint64_t k = d.ta ? a.rows : a.cols, m = d.ta ? a.cols : a.rows, n = d.tb ? b.rows : b.cols, kb = d.tb ? b.cols : b.rows;
  if (w.word[1] != mark || w.word[0] < 1 || w.word[0] > 3) return INVALID_VALUE;
  if (k != kb || m != out.rows || n != out.cols || a.ld < (int64_t)a.rows || b.ld < (int64_t)b.rows || a.type != b.type || out.type || a.batch != b.batch || a.batch != out.batch) return INVALID_VALUE;
  if ((d.compute != 68 && d.compute != 77) || (d.compute == 77 && a.type) || d.scale || (a.type && a.type != 2 && a.type != 14) || (d.epilogue != 1 && d.epilogue != 4)) return NOT_SUPPORTED;
  if (a.ld * size(a.type) % 16 && a.type) return NOT_SUPPORTED;
  return w.word[0] == 3 && k % 8 ? NOT_SUPPORTED : OK;
}
}  // namespace

#define API extern "C" __attribute__((visibility("default")))
API size_t cublasLtGetVersion() { return getenv("SYNTIC_FAKE_VERSION") ? atoi(getenv("SYNTIC_FAKE_VERSION")) : 130001; }
API const char *cublasLtGetStatusName(int c) { return c == INVALID_VALUE ? "CUBLAS_STATUS_INVALID_VALUE" : c == NOT_SUPPORTED ? "CUBLAS_STATUS_NOT_SUPPORTED" : "CUBLAS_STATUS_EXECUTION_FAILED"; }
API int cublasLtCreate(void **h) { return *h = (void *)mark, OK; }
API int cublasLtMatmulDescCreate(void **d, int compute, int scale) { return *d = new Desc{compute, scale, 0, 0, 1, nullptr}, OK; }
API int cublasLtMatmulDescDestroy(void *d) { return delete (Desc *)d, OK; }
API int cublasLtMatmulDescSetAttribute(void *desc, int what, const void *from, size_t n) {
  Desc *d = (Desc *)desc;
  struct { int what; void *to; size_t n; } all[] = {{3, &d->ta, 4}, {4, &d->tb, 4}, {7, &d->epilogue, 4}, {8, &d->bias, 8}};
  for (auto &x : all)
    if (x.what == what && x.n == n) return memcpy(x.to, from, n), OK;
  return INVALID_VALUE;
}
API int cublasLtMatrixLayoutCreate(void **l, int type, uint64_t rows, uint64_t cols, int64_t ld) { return *l = new Layout{type, rows, cols, ld, 1, 0}, OK; }
API int cublasLtMatrixLayoutDestroy(void *l) { return delete (Layout *)l, OK; }
API int cublasLtMatrixLayoutSetAttribute(void *layout, int what, const void *from, size_t n) {
  Layout *l = (Layout *)layout;
  if (what == 5 && n == 4) return memcpy(&l->batch, from, n), OK;
  if (what == 6 && n == 8) return memcpy(&l->step, from, n), OK;
  return INVALID_VALUE;
}
API int cublasLtMatmulPreferenceCreate(void **p) { return *p = new Pref{0, 7, {256, 256, 256, 256}}, OK; }
API int cublasLtMatmulPreferenceDestroy(void *p) { return delete (Pref *)p, OK; }
API int cublasLtMatmulPreferenceSetAttribute(void *pref, int what, const void *from, size_t n) {
  Pref *p = (Pref *)pref;
  if (what == 1 && n == 8) return memcpy(&p->workspace, from, n), OK;
  if (what == 3 && n == 4) return memcpy(&p->reduction, from, n), OK;
  if (what >= 5 && what <= 8 && n == 4) return memcpy(p->align + what - 5, from, n), OK;
  return INVALID_VALUE;
}
API int cublasLtMatmulAlgoCheck(void *, void *d, void *a, void *b, void *c, void *out, const Algo *w, Found *f) {
  f->algo = *w, f->workspace = w->word[0] == 2 ? needed : 0, f->state = OK, f->waves = 1;
  return fits(*(Desc *)d, *(Layout *)a, *(Layout *)b, *(Layout *)out, *w);
}
API int cublasLtMatmulAlgoGetHeuristic(void *h, void *d, void *a, void *b, void *c, void *out, void *pref, int want, Found *all, int *n) {
  Pref *p = (Pref *)pref;
  *n = 0;
  for (uint32_t x : p->align)
    if (x != 16) return INVALID_VALUE;  // what the engine's operands are aligned to
  if (p->reduction & 4) return INVALID_VALUE;
  for (uint64_t id = 1; id <= 3 && *n < want; ++id) {
    Algo w = {{id, mark}};
    if (!cublasLtMatmulAlgoCheck(h, d, a, b, c, out, &w, all + *n) && all[*n].workspace <= p->workspace) ++*n;
  }
  return *n ? OK : NOT_SUPPORTED;
}
API int cublasLtMatmul(void *h, void *desc, const void *alpha, const void *A, void *la, const void *B, void *lb, const void *beta, const void *C, void *lc, void *D, void *ld, const Algo *w, void *ws,
                       size_t wsbytes, void *stream) {
  static auto put = (int (*)(void *, const std::function<int()> *))emulator("synticPut");
  const Desc d = *(Desc *)desc;
  const Layout a = *(Layout *)la, b = *(Layout *)lb, out = *(Layout *)ld;
  const float al = *(const float *)alpha, be = *(const float *)beta;
  const uint64_t way = w->word[0];
  if (int r = fits(d, a, b, out, *w)) return r;
  if (!put || h != (void *)mark || (way == 2 && (wsbytes < needed || !within(ws, wsbytes)))) return INVALID_VALUE;
  if (!within(A, bytes(a)) || !within(B, bytes(b)) || !within(D, bytes(out)) || (be != 0 && !within(C, bytes(out))) || (d.epilogue == 4 && !within(d.bias, 4 * out.rows))) return INVALID_VALUE;
  if ((uintptr_t)A % 16 || (uintptr_t)B % 16 || (uintptr_t)C % 16 || (uintptr_t)D % 16) return INVALID_VALUE;
  std::function<int()> work = [=] {
    const int64_t k = d.ta ? a.rows : a.cols;
    std::vector<float> x(k), y(k);
    if (way == 2) memset(ws, 0x7f, needed);
    for (int64_t i = 0; i < out.batch; ++i)
      for (int64_t c = 0; c < (int64_t)out.cols; ++c) {
        for (int64_t l = 0; l < k; ++l) y[l] = read(B, b.type, i * b.step + (d.tb ? l * b.ld + c : c * b.ld + l), d.compute);
        for (int64_t r = 0; r < (int64_t)out.rows; ++r) {
          double sum = 0;
          for (int64_t l = 0; l < k; ++l) sum += (double)y[l] * read(A, a.type, i * a.step + (d.ta ? r * a.ld + l : l * a.ld + r), d.compute);
          const int64_t at = i * out.step + c * out.ld + r;
          float v = al * (float)sum + (be != 0 ? be * ((const float *)C)[at] : 0);
          ((float *)D)[at] = d.epilogue == 4 ? v + d.bias[r] : v;
        }
      }
    return 0;
  };
  return put(stream, &work) ? EXECUTION_FAILED : OK;
}
