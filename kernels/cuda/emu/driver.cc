//go:build ignore

// (compiled by build.go, not by the go command)

// A libcuda.so.1 whose device is the emulator: the entry points that kernels/cuda/driver uses and those of the bridge's tests in
// kernels/cuda/gorgonia, as strict as the real ones and stricter.
//
// Work runs when it is put on a stream, errors of kernels wait for the next synchronisation, as on a device. Memory lies between pages that
// cannot be touched, starts as NaN, and what follows its last byte is checked after each launch.
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include <functional>
#include <map>
#include <mutex>
#include <set>

#include "emu_sched.h"

using emu::u64;

namespace {

enum { OK, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_CONTEXT = 201, INVALID_IMAGE = 200, INVALID_HANDLE = 400, NOT_FOUND = 500, ILLEGAL_STATE = 401,
       NOT_SUPPORTED = 801, IN_CAPTURE = 900 };

struct Memory { char *pages; size_t mapped, bytes; bool host; };
struct Graph { std::vector<std::function<int()>> nodes; };
struct Stream { int error; Graph *capture; };
struct Event { double at; };
struct Function { const emu::Kernel *k; int smem_max; };

const size_t page = 4096;
const unsigned char slack = 0xff;  // reads as NaN

// The device has 80 GB, or SYNTIC_EMU_MEMORY MB.
size_t total_memory() {
  const char *s = getenv("SYNTIC_EMU_MEMORY");
  return s ? (size_t)atoi(s) << 20 : (size_t)80 << 30;
}

// SYNTIC_EMU_FAIL, "call=code", makes a call fail with a result code of the driver, for tests of what then is said: init, load, sync, or any, of a device
// that is lost.
int failing(const char *call) {
  const char *s = getenv("SYNTIC_EMU_FAIL");
  size_t n = strlen(call);
  return s && !strncmp(s, call, n) && s[n] == '=' ? atoi(s + n + 1) : 0;
}

std::recursive_mutex mu;
std::map<const char *, Memory> memory;  // by first byte
std::map<const char *, size_t> freed;   // for reports
size_t in_use;
char context;
std::set<void *> contexts = {&context};  // the primary one and those of cuCtxCreate; memory and kernels are one another's
Stream null_stream;
thread_local void *current;
std::string detail;  // of the last failed launch
unsigned launches, base_seed;

typedef std::lock_guard<std::recursive_mutex> Lock;

double now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec * 1e-6;
}

Stream *of(void *s) { return s ? (Stream *)s : &null_stream; }

// From this size on memory is not filled: it takes only the pages that are touched, for tests of sizes that no machine holds, and reads as 0.
const size_t sparse = (size_t)1 << 30;

int allocate(void **out, size_t bytes, bool host) {
  if (!bytes) return INVALID_VALUE;
  size_t body = (bytes + 255) / 256 * 256, mapped = (body + page - 1) / page * page + 2 * page;
  if (in_use + bytes > total_memory()) return OUT_OF_MEMORY;
  char *p = (char *)mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) return OUT_OF_MEMORY;
  mprotect(p, page, PROT_NONE);
  mprotect(p + mapped - page, page, PROT_NONE);
  char *begin = p + mapped - page - body;
  if (body < sparse)
    memset(begin, 0xff, body);
  else
    memset(begin + body - 256, 0xff, 256);
  memory[begin] = {p, mapped, bytes, host};
  freed.erase(begin);
  in_use += bytes;
  *out = begin;
  return OK;
}

int release(void *p) {
  if (!p) return OK;
  auto at = memory.find((const char *)p);
  if (at == memory.end()) return INVALID_VALUE;
  munmap(at->second.pages, at->second.mapped);
  in_use -= at->second.bytes;
  if (freed.size() > 10000) freed.clear();
  freed[at->first] = at->second.bytes;
  memory.erase(at);
  return OK;
}

const std::pair<const char *const, Memory> *find(const void *p) {
  auto at = memory.upper_bound((const char *)p);
  if (at == memory.begin()) return nullptr;
  --at;
  return (const char *)p < at->first + at->second.mapped ? &*at : nullptr;
}

bool within(const void *p, size_t bytes) {
  for (const emu::Kernel *k : emu::all_kernels())
    if (p == k->meta) return bytes <= sizeof k->meta;
  auto m = find(p);
  return m && (const char *)p + bytes <= m->first + m->second.bytes;
}

// pageable tells of a stream that is being captured and memory of the host that no graph may use: it may be anything when the graph is replayed.
bool pageable(void *stream, const void *host) { return of(stream)->capture && !(find(host) && find(host)->second.host); }

// put runs work, or records it where the stream is being captured.
int put(void *stream, std::function<int()> work) {
  Stream *s = of(stream);
  if (s->capture) {
    s->capture->nodes.push_back(std::move(work));
    return OK;
  }
  int r = work();
  if (r && !s->error) s->error = r;
  return OK;
}

int sync(Stream *s) {
  int r = s->error;
  s->error = 0;
  return s->capture ? IN_CAPTURE : r;
}

int check_slack(const char *kernel) {
  for (auto &m : memory)
    for (size_t i = m.second.bytes; i < (m.second.bytes + 255) / 256 * 256; ++i)
      if ((unsigned char)m.first[i] != slack) {
        detail = std::string("kernel ") + kernel + " wrote past the end of an allocation of " + std::to_string(m.second.bytes) + " bytes, at +" + std::to_string(i);
        memset((char *)m.first + m.second.bytes, slack, (m.second.bytes + 255) / 256 * 256 - m.second.bytes);
        return 700;
      }
  return OK;
}

int run(const emu::Kernel *k, emu::Dim grid, emu::Dim block, unsigned smem, std::vector<std::vector<char>> args) {
  std::vector<void *> params(args.size() + 1);
  for (size_t i = 0; i < args.size(); ++i) params[i] = args[i].data();
  for (int i = 0; i < k->params; ++i)
    if (k->pointers[i]) {
      void *p;
      memcpy(&p, params[i], 8);
      if (p && !find(p)) {
        detail = std::string("kernel ") + k->name + ": argument " + std::to_string(i) + ": " + emu::where(p);
        return 700;
      }
    }
  std::string why;
  int r = emu::launch(k, grid, block, smem, params.data(), base_seed + launches++, &why);
  if (r) detail = why;
  return r ? r : check_slack(k->name);
}

}  // namespace

namespace emu {

std::string where(const void *p) {
  char text[200];
  if (auto m = find(p)) {
    snprintf(text, sizeof text, "%+ld bytes from the %s of an allocation of %zu bytes", (long)((const char *)p - (m->first + ((const char *)p < m->first ? 0 : m->second.bytes))),
             (const char *)p < m->first ? "beginning" : "end", m->second.bytes);
    return text;
  }
  auto next = memory.upper_bound((const char *)p);
  if (next != memory.end() && (const char *)p >= next->second.pages) {
    snprintf(text, sizeof text, "%ld bytes before an allocation of %zu bytes", (long)(next->first - (const char *)p), next->second.bytes);
    return text;
  }
  auto old = freed.upper_bound((const char *)p);
  if (old != freed.begin() && (const char *)p < (--old)->first + old->second) return "memory that has been freed";
  snprintf(text, sizeof text, "%p is not device memory", p);
  return text;
}

bool allocation(const void *p, const char **begin, size_t *bytes) {
  auto m = find(p);
  if (!m || (const char *)p < m->first) return false;
  *begin = m->first, *bytes = m->second.bytes;
  return true;
}

}  // namespace emu

#define API extern "C" __attribute__((visibility("default"))) int
#define NEED_CONTEXT \
  Lock lock(mu);     \
  if (int r_ = failing("any")) return r_; \
  if (!contexts.count(current)) return INVALID_CONTEXT

API synticEmulated() { return 1; }
// For libraries of tests, such as ./cublaslt: put work on a stream; whether memory is the device's.
API synticPut(void *stream, const std::function<int()> *work) { Lock lock(mu); return put(stream, *work); }
API synticWithin(const void *p, size_t bytes) { Lock lock(mu); return within(p, bytes); }

API cuInit(unsigned) {
  static bool done;
  Lock lock(mu);
  if (int r = failing("init")) return r;
  if (!done) {
    if (const char *s = getenv("SYNTIC_EMU_SEED")) base_seed = (unsigned)atoi(s);
    emu::install_fault_handler();
  }
  done = true;
  return OK;
}
API cuDriverGetVersion(int *v) { return *v = 13000, OK; }
API cuGetErrorName(int code, const char **s) {
  static const std::map<int, const char *> names = {{1, "CUDA_ERROR_INVALID_VALUE"}, {2, "CUDA_ERROR_OUT_OF_MEMORY"}, {100, "CUDA_ERROR_NO_DEVICE"}, {200, "CUDA_ERROR_INVALID_IMAGE"},
    {201, "CUDA_ERROR_INVALID_CONTEXT"}, {209, "CUDA_ERROR_NO_BINARY_FOR_GPU"}, {214, "CUDA_ERROR_ECC_UNCORRECTABLE"}, {222, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION"}, {400, "CUDA_ERROR_INVALID_HANDLE"}, {401, "CUDA_ERROR_ILLEGAL_STATE"}, {500, "CUDA_ERROR_NOT_FOUND"}, {700, "CUDA_ERROR_ILLEGAL_ADDRESS"},
    {702, "CUDA_ERROR_LAUNCH_TIMEOUT"}, {716, "CUDA_ERROR_MISALIGNED_ADDRESS"}, {719, "CUDA_ERROR_LAUNCH_FAILED"}, {801, "CUDA_ERROR_NOT_SUPPORTED"}, {803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"}, {900, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"}};
  auto at = names.find(code);
  *s = at == names.end() ? "CUDA_ERROR_UNKNOWN" : at->second;
  return OK;
}
API cuGetErrorString(int code, const char **s) {
  Lock lock(mu);
  static thread_local std::string last;
  last = code >= 700 && code < 720 && !detail.empty() ? detail : code == 2 ? "out of memory" : code == 1 ? "invalid argument" : "emulated error";
  *s = last.c_str();
  return OK;
}
API cuDeviceGetCount(int *n) { return *n = 1, OK; }
API cuDeviceGet(int *d, int i) { return *d = i, i == 0 ? OK : 101; }
API cuDeviceGetName(char *s, int n, int) { return snprintf(s, n, "emulated GPU"), OK; }
API cuDeviceGetAttribute(int *v, int a, int) {
  const char *sm = getenv("SYNTIC_EMU_SM");
  int cc = sm ? atoi(sm) : 90;
  switch (a) {
    case 16: *v = 2; break;
    case 38: *v = 1 << 20; break;
    case 75: *v = cc / 10; break;
    case 76: *v = cc % 10; break;
    case 81: *v = 228 << 10; break;
    case 97: *v = emu::max_shared; break;
    default: *v = 0; return INVALID_VALUE;
  }
  return OK;
}
API cuDeviceGetPCIBusId(char *s, int n, int) { return snprintf(s, n, "0000:01:00.0"), OK; }
API cuDeviceTotalMem_v2(size_t *n, int) { return *n = total_memory(), OK; }
API cuDevicePrimaryCtxRetain(void **c, int) { return *c = &context, OK; }
API cuCtxSetCurrent(void *c) {
  Lock lock(mu);
  return c && !contexts.count(c) ? INVALID_CONTEXT : (current = c, OK);
}
API cuCtxGetCurrent(void **c) { return *c = current, OK; }
API cuCtxGetDevice(int *d) { NEED_CONTEXT; return *d = 0, OK; }
API cuCtxCreate_v2(void **c, unsigned, int) {
  Lock lock(mu);
  return contexts.insert(*c = current = new char), OK;
}
API cuCtxDestroy_v2(void *c) {
  Lock lock(mu);
  if (c == &context || !contexts.erase(c)) return INVALID_CONTEXT;
  if (current == c) current = nullptr;
  return delete (char *)c, OK;
}
API cuCtxSynchronize() { NEED_CONTEXT; return sync(&null_stream); }
API cuMemGetInfo_v2(size_t *f, size_t *t) { NEED_CONTEXT; return *t = total_memory(), *f = *t > in_use ? *t - in_use : 0, OK; }
API cuMemAlloc_v2(u64 *p, size_t n) { NEED_CONTEXT; return allocate((void **)p, n, false); }
API cuMemFree_v2(u64 p) { NEED_CONTEXT; return release((void *)p); }
API cuMemAllocAsync(u64 *p, size_t n, void *s) {
  NEED_CONTEXT;
  return of(s)->capture ? NOT_SUPPORTED : allocate((void **)p, n, false);
}
API cuMemFreeAsync(u64 p, void *s) { NEED_CONTEXT; return of(s)->capture ? NOT_SUPPORTED : release((void *)p); }
API cuDeviceGetDefaultMemPool(void **p, int) { return *p = &context, OK; }
API cuMemPoolSetAttribute(void *, int, void *) { return OK; }
API cuMemHostAlloc(void **p, size_t n, unsigned) { NEED_CONTEXT; return allocate(p, n, true); }
API cuMemFreeHost(void *p) { NEED_CONTEXT; return release(p); }

API cuMemcpyHtoD_v2(u64 d, const void *h, size_t n) { NEED_CONTEXT; return within((void *)d, n) ? memcpy((void *)d, h, n), OK : INVALID_VALUE; }
API cuMemcpyDtoH_v2(void *h, u64 d, size_t n) { NEED_CONTEXT; return within((void *)d, n) ? memcpy(h, (void *)d, n), OK : INVALID_VALUE; }
API cuMemcpyHtoDAsync_v2(u64 d, const void *h, size_t n, void *s) {
  NEED_CONTEXT;
  if (!within((void *)d, n)) return INVALID_VALUE;
  if (pageable(s, h)) return IN_CAPTURE;
  return put(s, [=] { return memcpy((void *)d, h, n), OK; });
}
API cuMemcpyDtoHAsync_v2(void *h, u64 d, size_t n, void *s) {
  NEED_CONTEXT;
  if (!within((void *)d, n)) return INVALID_VALUE;
  if (pageable(s, h)) return IN_CAPTURE;
  return put(s, [=] { return memcpy(h, (void *)d, n), OK; });
}
API cuMemcpyDtoDAsync_v2(u64 d, u64 from, size_t n, void *s) {
  NEED_CONTEXT;
  if (!within((void *)d, n) || !within((void *)from, n)) return INVALID_VALUE;
  return put(s, [=] { return memmove((void *)d, (void *)from, n), OK; });
}
API cuMemsetD8Async(u64 d, unsigned char v, size_t n, void *s) {
  NEED_CONTEXT;
  if (!within((void *)d, n)) return INVALID_VALUE;
  return put(s, [=] { return memset((void *)d, v, n), OK; });
}
API cuMemsetD32Async(u64 d, unsigned v, size_t n, void *s) {
  NEED_CONTEXT;
  if (!within((void *)d, 4 * n) || d % 4) return INVALID_VALUE;
  return put(s, [=] {
    for (size_t i = 0; i < n; ++i) ((unsigned *)d)[i] = v;
    return OK;
  });
}

API cuStreamCreate(void **s, unsigned) { NEED_CONTEXT; return *s = new Stream(), OK; }
API cuStreamDestroy_v2(void *s) { NEED_CONTEXT; return delete (Stream *)s, OK; }
API cuStreamSynchronize(void *s) {
  NEED_CONTEXT;
  if (int r = failing("sync")) return r;
  return sync(of(s));
}
API cuStreamWaitEvent(void *, void *, unsigned) { NEED_CONTEXT; return OK; }
API cuEventCreate(void **e, unsigned) { NEED_CONTEXT; return *e = new Event(), OK; }
API cuEventDestroy_v2(void *e) { NEED_CONTEXT; return delete (Event *)e, OK; }
API cuEventRecord(void *e, void *s) { NEED_CONTEXT; return put(s, [=] { return ((Event *)e)->at = now(), OK; }); }
API cuEventSynchronize(void *) { NEED_CONTEXT; return OK; }
API cuEventElapsedTime(float *ms, void *from, void *to) { NEED_CONTEXT; return *ms = (float)(((Event *)to)->at - ((Event *)from)->at), OK; }

API cuModuleLoadDataEx(void **m, const void *image, unsigned n, int *options, void **values) {
  NEED_CONTEXT;
  if (int r = failing("load")) return r;
  const char *text = (const char *)image;
  if (!memcmp(text, "\x7f" "ELF", 4) || !memcmp(text, "//", 2) || !memcmp(text, ".version", 8)) return *m = &context, OK;
  for (unsigned i = 0; i < n; ++i)
    if (options[i] == 5) snprintf((char *)values[i], 60, "neither a cubin nor PTX");
  return INVALID_IMAGE;
}
API cuModuleUnload(void *) { NEED_CONTEXT; return OK; }
API cuModuleGetFunction(void **f, void *, const char *name) {
  NEED_CONTEXT;
  static std::map<const emu::Kernel *, Function *> functions;
  const emu::Kernel *k = emu::find_kernel(name);
  if (!k) return NOT_FOUND;
  Function *&fn = functions[k];
  if (!fn) fn = new Function{k, 48 << 10};
  return *f = fn, OK;
}
API cuModuleGetGlobal_v2(u64 *p, size_t *n, void *, const char *name) {
  NEED_CONTEXT;
  std::string s = name;
  const emu::Kernel *k = s.size() > 5 ? emu::find_kernel(s.substr(0, s.size() - 5).c_str()) : nullptr;
  if (!k) return NOT_FOUND;
  return *p = (u64)k->meta, *n = sizeof k->meta, OK;
}
API cuFuncGetAttribute(int *v, int, void *) { return *v = 0, OK; }
API cuFuncSetAttribute(void *f, int attribute, int v) {
  NEED_CONTEXT;
  if (attribute != 8 || v > (int)emu::max_shared) return INVALID_VALUE;
  return ((Function *)f)->smem_max = v, OK;
}
API cuFuncGetParamInfo(void *f, size_t i, size_t *offset, size_t *size) {
  const emu::Kernel *k = ((Function *)f)->k;
  if (i >= (size_t)k->params) return INVALID_VALUE;
  return *offset = 0, *size = k->sizes[i], OK;
}
API cuOccupancyMaxActiveBlocksPerMultiprocessor(int *n, void *, int, size_t) { return *n = 1, OK; }

API cuLaunchKernel(void *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned smem, void *s, void **params, void **) {
  NEED_CONTEXT;
  Function *fn = (Function *)f;
  const emu::Kernel *k = fn->k;
  u64 threads = (u64)bx * by * bz;
  if (!gx || !gy || !gz || gy > 65535 || gz > 65535 || gx > 0x7fffffff || !threads || (int)threads > k->meta[0] || threads > 1024 || (int)smem > fn->smem_max) return INVALID_VALUE;
  std::vector<std::vector<char>> args;
  for (int i = 0; i < k->params; ++i) args.emplace_back((char *)params[i], (char *)params[i] + k->sizes[i]);
  emu::Dim grid = {gx, gy, gz}, block = {bx, by, bz};
  return put(s, [=] { return run(k, grid, block, smem, args); });
}

API cuStreamBeginCapture_v2(void *s, int) {
  NEED_CONTEXT;
  if (!s || of(s)->capture) return ILLEGAL_STATE;
  return of(s)->capture = new Graph(), OK;
}
API cuStreamEndCapture(void *s, void **g) {
  NEED_CONTEXT;
  if (!of(s)->capture) return ILLEGAL_STATE;
  *g = of(s)->capture;
  return of(s)->capture = nullptr, OK;
}
API cuGraphInstantiateWithFlags(void **exec, void *g, u64) { NEED_CONTEXT; return *exec = new Graph(*(Graph *)g), OK; }
API cuGraphLaunch(void *g, void *s) {
  NEED_CONTEXT;
  for (auto &node : ((Graph *)g)->nodes) put(s, node);
  return OK;
}
API cuGraphDestroy(void *g) { NEED_CONTEXT; return delete (Graph *)g, OK; }
API cuGraphExecDestroy(void *g) { NEED_CONTEXT; return delete (Graph *)g, OK; }

API cuTensorMapEncodeTiled(void *map, int type, unsigned rank, void *base, const u64 *dims, const u64 *strides, const unsigned *box, const unsigned *steps, int interleave, int swizzle, int,
                           int fill) {
  Lock lock(mu);
  emu::TensorMap m = {};
  const int sizes[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2};
  if (type < 0 || type > 9 || rank < 1 || rank > 5 || interleave || fill || (u64)base % 16 || (u64)map % 64 || swizzle < 0 || swizzle > 3) return INVALID_VALUE;
  m.magic = emu::map_magic, m.rank = rank, m.size = sizes[type], m.swizzle = swizzle, m.base = (const char *)base;
  for (unsigned i = 0; i < rank; ++i) {
    if (!dims[i] || dims[i] >> 32 || !box[i] || box[i] > 256 || steps[i] != 1) return INVALID_VALUE;
    m.dims[i] = (unsigned)(dims[i] - 1), m.box[i] = (unsigned short)box[i];
    if (i && (strides[i - 1] % 16 || strides[i - 1] >> 40)) return INVALID_VALUE;
    m.strides[i] = i ? strides[i - 1] : 0;
  }
  if (box[0] * m.size % 16 || (swizzle && box[0] * m.size > 16u << swizzle)) return INVALID_VALUE;
  u64 last = m.size;
  for (unsigned i = 0; i < rank; ++i) last += (dims[i] - 1) * (i ? strides[i - 1] : (u64)m.size);
  if (!within(base, last)) return INVALID_VALUE;
  memcpy(map, &m, sizeof m);
  return OK;
}
