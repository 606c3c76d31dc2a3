//go:build cuda

#define _GNU_SOURCE
#include "drv.h"
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

typedef unsigned long long dptr; // CUdeviceptr

typedef struct {
  unsigned grid[3], block[3], smem;
  void *stream, *attrs;
  unsigned numAttrs;
} launch_config; // CUlaunchConfig

typedef struct {
  int id;
  char pad[4];
  union { char bytes[64]; unsigned cluster[3]; } value;
} launch_attr; // CUlaunchAttribute

// The table: X(optional, field, exported name, parameters). The exported names carry the version of the ABI declared here.
#define TABLE(X)                                                                                                              \
  X(0, init, "cuInit", (unsigned))                                                                                            \
  X(0, version, "cuDriverGetVersion", (int *))                                                                                \
  X(0, errname, "cuGetErrorName", (int, const char **))                                                                       \
  X(0, errstr, "cuGetErrorString", (int, const char **))                                                                      \
  X(0, count, "cuDeviceGetCount", (int *))                                                                                    \
  X(0, devget, "cuDeviceGet", (int *, int))                                                                                   \
  X(0, devname, "cuDeviceGetName", (char *, int, int))                                                                        \
  X(0, devattr, "cuDeviceGetAttribute", (int *, int, int))                                                                    \
  X(0, devmem, "cuDeviceTotalMem_v2", (size_t *, int))                                                                        \
  X(1, bus, "cuDeviceGetPCIBusId", (char *, int, int))                                                                        \
  X(0, retain, "cuDevicePrimaryCtxRetain", (void **, int))                                                                    \
  X(0, setcur, "cuCtxSetCurrent", (void *))                                                                                   \
  X(0, getcur, "cuCtxGetCurrent", (void **))                                                                                  \
  X(0, ctxdev, "cuCtxGetDevice", (int *))                                                                                     \
  X(0, meminfo, "cuMemGetInfo_v2", (size_t *, size_t *))                                                                      \
  X(0, alloc, "cuMemAlloc_v2", (dptr *, size_t))                                                                              \
  X(0, free_, "cuMemFree_v2", (dptr))                                                                                         \
  X(1, allocasync, "cuMemAllocAsync", (dptr *, size_t, void *))                                                               \
  X(1, freeasync, "cuMemFreeAsync", (dptr, void *))                                                                           \
  X(1, defpool, "cuDeviceGetDefaultMemPool", (void **, int))                                                                  \
  X(1, poolset, "cuMemPoolSetAttribute", (void *, int, void *))                                                               \
  X(0, hostalloc, "cuMemHostAlloc", (void **, size_t, unsigned))                                                              \
  X(0, hostfree, "cuMemFreeHost", (void *))                                                                                   \
  X(0, htod, "cuMemcpyHtoDAsync_v2", (dptr, const void *, size_t, void *))                                                    \
  X(0, dtoh, "cuMemcpyDtoHAsync_v2", (void *, dptr, size_t, void *))                                                          \
  X(0, dtod, "cuMemcpyDtoDAsync_v2", (dptr, dptr, size_t, void *))                                                            \
  X(0, set8, "cuMemsetD8Async", (dptr, unsigned char, size_t, void *))                                                        \
  X(0, set32, "cuMemsetD32Async", (dptr, unsigned, size_t, void *))                                                           \
  X(0, streamnew, "cuStreamCreate", (void **, unsigned))                                                                      \
  X(0, streamfree, "cuStreamDestroy_v2", (void *))                                                                            \
  X(0, streamsync, "cuStreamSynchronize", (void *))                                                                           \
  X(0, streamwait, "cuStreamWaitEvent", (void *, void *, unsigned))                                                           \
  X(0, eventnew, "cuEventCreate", (void **, unsigned))                                                                        \
  X(0, eventfree, "cuEventDestroy_v2", (void *))                                                                              \
  X(0, eventrecord, "cuEventRecord", (void *, void *))                                                                        \
  X(0, eventsync, "cuEventSynchronize", (void *))                                                                             \
  X(0, eventtime, "cuEventElapsedTime", (float *, void *, void *))                                                            \
  X(0, load, "cuModuleLoadDataEx", (void **, const void *, unsigned, int *, void **))                                         \
  X(0, unload, "cuModuleUnload", (void *))                                                                                    \
  X(0, getfn, "cuModuleGetFunction", (void **, void *, const char *))                                                         \
  X(0, getglobal, "cuModuleGetGlobal_v2", (dptr *, size_t *, void *, const char *))                                           \
  X(0, fnget, "cuFuncGetAttribute", (int *, int, void *))                                                                     \
  X(0, fnset, "cuFuncSetAttribute", (void *, int, int))                                                                       \
  X(1, paraminfo, "cuFuncGetParamInfo", (void *, size_t, size_t *, size_t *))                                                 \
  X(1, occupancy, "cuOccupancyMaxActiveBlocksPerMultiprocessor", (int *, void *, int, size_t))                                \
  X(0, launch, "cuLaunchKernel", (void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **, void **)) \
  X(1, launchex, "cuLaunchKernelEx", (const launch_config *, void *, void **, void **))                                       \
  X(1, capbegin, "cuStreamBeginCapture_v2", (void *, int))                                                                    \
  X(1, capend, "cuStreamEndCapture", (void *, void **))                                                                       \
  X(1, instantiate, "cuGraphInstantiateWithFlags", (void **, void *, unsigned long long))                                     \
  X(1, graphlaunch, "cuGraphLaunch", (void *, void *))                                                                        \
  X(1, graphfree, "cuGraphDestroy", (void *))                                                                                 \
  X(1, execfree, "cuGraphExecDestroy", (void *))                                                                              \
  X(1, tensormap, "cuTensorMapEncodeTiled",                                                                                   \
    (void *, int, unsigned, void *, const uint64_t *, const uint64_t *, const uint32_t *, const uint32_t *, int, int, int, int)) \
  X(1, emulated, "synticEmulated", (void))

#define FIELD(optional, field, name, params) int(*field) params;
static struct { TABLE(FIELD) } cu;

enum { NOT_SUPPORTED = 801 };

int drv_open(const char *path, char *err, size_t errlen) {
  void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!lib) {
    snprintf(err, errlen, "%s", dlerror());
    return -1;
  }
#define LOAD(optional, field, name, params)                                     \
  *(void **)&cu.field = dlsym(lib, name);                                       \
  if (!optional && !cu.field) {                                                 \
    snprintf(err, errlen, "%s has no %s: the driver is too old", path, name);   \
    return -1;                                                                  \
  }
  TABLE(LOAD)
  return cu.init(0);
}

const char *drv_error_name(int code) {
  const char *s = NULL;
  return cu.errname && !cu.errname(code, &s) && s ? s : "CUDA_ERROR";
}

const char *drv_error_string(int code) {
  const char *s = NULL;
  return cu.errstr && !cu.errstr(code, &s) && s ? s : "unknown";
}

int drv_version(int *v) { return cu.version(v); }
int drv_count(int *n) { return cu.count(n); }
int drv_name(char *buf, int len, int device) { return cu.devname(buf, len, device); }
int drv_attribute(int *v, int attribute, int device) { return cu.devattr(v, attribute, device); }
int drv_total_mem(size_t *bytes, int device) { return cu.devmem(bytes, device); }
int drv_bus(char *buf, int len, int device) { return cu.bus ? cu.bus(buf, len, device) : NOT_SUPPORTED; }
int drv_retain(void **ctx, int device) {
  int dev, r = cu.devget(&dev, device);
  return r ? r : cu.retain(ctx, dev);
}
int drv_emulated(void) { return cu.emulated ? cu.emulated() : 0; }

// use makes the context current on this thread, once: a goroutine may be on another thread at its next call.
static __thread void *current;
static inline int use(drv_place p) {
  if (current == p.ctx) return 0;
  int r = cu.setcur(p.ctx);
  if (!r) current = p.ctx;
  return r;
}

int drv_current(drv_place *p) {
  int r = cu.getcur(&p->ctx);
  if (r) return r;
  current = p->ctx;
  return p->ctx ? cu.ctxdev(&p->device) : 201; // CUDA_ERROR_INVALID_CONTEXT
}

int drv_use(drv_place p) { return use(p); }

#define IN(call)         \
  do {                   \
    int r_ = use(p);     \
    return r_ ? r_ : call; \
  } while (0)
#define IN_OPT(field, call) \
  do {                      \
    if (!cu.field) return NOT_SUPPORTED; \
    IN(call);               \
  } while (0)

int drv_mem_info(drv_place p, size_t *free_, size_t *total) { IN(cu.meminfo(free_, total)); }
int drv_alloc(drv_place p, void **out, size_t bytes) { IN(cu.alloc((dptr *)out, bytes)); }
int drv_free(drv_place p, void *ptr) { IN(cu.free_((dptr)ptr)); }
int drv_alloc_async(drv_place p, void **out, size_t bytes, void *stream) { IN_OPT(allocasync, cu.allocasync((dptr *)out, bytes, stream)); }
int drv_free_async(drv_place p, void *ptr, void *stream) { IN_OPT(freeasync, cu.freeasync((dptr)ptr, stream)); }
int drv_pool_keep(drv_place p, uint64_t bytes) {
  void *pool;
  if (!cu.defpool || !cu.poolset) return NOT_SUPPORTED;
  int r = use(p);
  if (!r) r = cu.defpool(&pool, p.device);
  return r ? r : cu.poolset(pool, 4 /* CU_MEMPOOL_ATTR_RELEASE_THRESHOLD */, &bytes);
}
int drv_host_alloc(drv_place p, void **out, size_t bytes) { IN(cu.hostalloc(out, bytes, 0)); }
int drv_host_free(drv_place p, void *ptr) { IN(cu.hostfree(ptr)); }
int drv_to_device(drv_place p, void *dst, const void *src, size_t bytes, void *stream) { IN(cu.htod((dptr)dst, src, bytes, stream)); }
int drv_to_host(drv_place p, void *dst, const void *src, size_t bytes, void *stream) { IN(cu.dtoh(dst, (dptr)src, bytes, stream)); }
int drv_within(drv_place p, void *dst, const void *src, size_t bytes, void *stream) { IN(cu.dtod((dptr)dst, (dptr)src, bytes, stream)); }
int drv_set8(drv_place p, void *dst, unsigned char v, size_t bytes, void *stream) { IN(cu.set8((dptr)dst, v, bytes, stream)); }
int drv_set32(drv_place p, void *dst, uint32_t v, size_t n, void *stream) { IN(cu.set32((dptr)dst, v, n, stream)); }

int drv_stream_new(drv_place p, void **out) { IN(cu.streamnew(out, 1 /* not synchronous with the default stream */)); }
int drv_stream_free(drv_place p, void *s) { IN(cu.streamfree(s)); }
int drv_stream_sync(drv_place p, void *s) { IN(cu.streamsync(s)); }
int drv_stream_wait(drv_place p, void *s, void *event) { IN(cu.streamwait(s, event, 0)); }
int drv_event_new(drv_place p, void **out, int timing) { IN(cu.eventnew(out, timing ? 0 : 2)); }
int drv_event_free(drv_place p, void *e) { IN(cu.eventfree(e)); }
int drv_event_record(drv_place p, void *e, void *s) { IN(cu.eventrecord(e, s)); }
int drv_event_sync(drv_place p, void *e) { IN(cu.eventsync(e)); }
int drv_event_elapsed(drv_place p, float *ms, void *from, void *to) { IN(cu.eventtime(ms, from, to)); }

int drv_module_load(drv_place p, void **mod, const void *image, char *log, size_t loglen) {
  // CU_JIT_ERROR_LOG_BUFFER and its size; the size travels by value in the pointer
  int options[] = {5, 6};
  void *values[] = {log, (void *)(uintptr_t)loglen};
  if (loglen) log[0] = 0;
  IN(cu.load(mod, image, 2, options, values));
}
int drv_module_free(drv_place p, void *mod) { IN(cu.unload(mod)); }
int drv_function(drv_place p, void **fn, void *mod, const char *name) { IN(cu.getfn(fn, mod, name)); }
int drv_global(drv_place p, void **ptr, size_t *bytes, void *mod, const char *name) { IN(cu.getglobal((dptr *)ptr, bytes, mod, name)); }
int drv_function_get(drv_place p, int *v, int attribute, void *fn) { IN(cu.fnget(v, attribute, fn)); }
int drv_function_set(drv_place p, void *fn, int attribute, int v) { IN(cu.fnset(fn, attribute, v)); }
int drv_param_info(void *fn, size_t i, size_t *offset, size_t *size) { return cu.paraminfo ? cu.paraminfo(fn, i, offset, size) : NOT_SUPPORTED; }
int drv_occupancy(drv_place p, int *blocks, void *fn, int threads, size_t smem) { IN_OPT(occupancy, cu.occupancy(blocks, fn, threads, smem)); }

int drv_launch(drv_place p, void *fn, const unsigned *g, const unsigned *b, const unsigned *cluster, unsigned smem, void *stream,
               void *args, const uint16_t *offsets, int n) {
  void *params[64];
  if (n > 64) return 1; // CUDA_ERROR_INVALID_VALUE
  for (int i = 0; i < n; i++) params[i] = (char *)args + offsets[i];
  if (cluster[0] * cluster[1] * cluster[2] > 1) {
    launch_attr a = {.id = 4 /* cluster dimension */};
    launch_config c = {{g[0], g[1], g[2]}, {b[0], b[1], b[2]}, smem, stream, &a, 1};
    memcpy(a.value.cluster, cluster, sizeof a.value.cluster);
    IN_OPT(launchex, cu.launchex(&c, fn, params, NULL));
  }
  IN(cu.launch(fn, g[0], g[1], g[2], b[0], b[1], b[2], smem, stream, params, NULL));
}

int drv_capture_begin(drv_place p, void *stream) { IN_OPT(capbegin, cu.capbegin(stream, 2 /* what other threads do meanwhile is their own, and so is memory that this one takes */)); }
int drv_capture_end(drv_place p, void *stream, void **graph) { IN_OPT(capend, cu.capend(stream, graph)); }
int drv_graph_instantiate(drv_place p, void **exec, void *graph) { IN_OPT(instantiate, cu.instantiate(exec, graph, 0)); }
int drv_graph_launch(drv_place p, void *exec, void *stream) { IN_OPT(graphlaunch, cu.graphlaunch(exec, stream)); }
int drv_graph_free(drv_place p, void *graph) { IN_OPT(graphfree, cu.graphfree(graph)); }
int drv_graph_exec_free(drv_place p, void *exec) { IN_OPT(execfree, cu.execfree(exec)); }

int drv_tensor_map(void *map, int type, int rank, void *base, const uint64_t *dims, const uint64_t *strides, const uint32_t *box, const uint32_t *steps,
                   int interleave, int swizzle, int l2, int fill) {
  return cu.tensormap ? cu.tensormap(map, type, rank, base, dims, strides, box, steps, interleave, swizzle, l2, fill) : NOT_SUPPORTED;
}
