// The CUDA driver API as this package uses it: own declarations (ABI facts of the driver's documentation), no toolkit header.
// Every function returns the driver's result code (0 is success); none prints or exits.
#ifndef SYNTIC_DRV_H
#define SYNTIC_DRV_H
#include <stddef.h>
#include <stdint.h>

typedef struct { void *ctx; int device; } drv_place; // a context, made current by every call on the calling thread

int drv_open(const char *path, char *err, size_t errlen); // loads libcuda and starts it; 0, -1 with a message, or the code of cuInit
const char *drv_error_name(int code);
const char *drv_error_string(int code);
int drv_version(int *v);
int drv_count(int *n);
int drv_name(char *buf, int len, int device);
int drv_attribute(int *v, int attribute, int device);
int drv_total_mem(size_t *bytes, int device);
int drv_bus(char *buf, int len, int device); // PCI address
int drv_retain(void **ctx, int device);
int drv_use(drv_place p); // makes it current on this thread
int drv_current(drv_place *p); // what is current on this thread, and what others made current is taken note of
int drv_emulated(void); // whether the library is the emulator of kernels/cuda/emu

int drv_mem_info(drv_place p, size_t *free_, size_t *total);
int drv_alloc(drv_place p, void **out, size_t bytes);
int drv_free(drv_place p, void *ptr);
int drv_alloc_async(drv_place p, void **out, size_t bytes, void *stream);
int drv_free_async(drv_place p, void *ptr, void *stream);
int drv_pool_keep(drv_place p, uint64_t bytes); // the default pool keeps this much when it is idle
int drv_host_alloc(drv_place p, void **out, size_t bytes);
int drv_host_free(drv_place p, void *ptr);
int drv_to_device(drv_place p, void *dst, const void *src, size_t bytes, void *stream);
int drv_to_host(drv_place p, void *dst, const void *src, size_t bytes, void *stream);
int drv_within(drv_place p, void *dst, const void *src, size_t bytes, void *stream);
int drv_set8(drv_place p, void *dst, unsigned char v, size_t bytes, void *stream);
int drv_set32(drv_place p, void *dst, uint32_t v, size_t n, void *stream);

int drv_stream_new(drv_place p, void **out);
int drv_stream_free(drv_place p, void *s);
int drv_stream_sync(drv_place p, void *s);
int drv_stream_wait(drv_place p, void *s, void *event);
int drv_event_new(drv_place p, void **out, int timing);
int drv_event_free(drv_place p, void *e);
int drv_event_record(drv_place p, void *e, void *s);
int drv_event_sync(drv_place p, void *e);
int drv_event_elapsed(drv_place p, float *ms, void *from, void *to);

int drv_module_load(drv_place p, void **mod, const void *image, char *log, size_t loglen);
int drv_module_free(drv_place p, void *mod);
int drv_function(drv_place p, void **fn, void *mod, const char *name);
int drv_global(drv_place p, void **ptr, size_t *bytes, void *mod, const char *name);
int drv_function_get(drv_place p, int *v, int attribute, void *fn);
int drv_function_set(drv_place p, void *fn, int attribute, int v);
int drv_param_info(void *fn, size_t i, size_t *offset, size_t *size); // driver 12.4 and newer
int drv_occupancy(drv_place p, int *blocks, void *fn, int threads, size_t smem);

// args is a block of packed values, offsets[i] where the i-th begins.
int drv_launch(drv_place p, void *fn, const unsigned *grid, const unsigned *block, const unsigned *cluster, unsigned smem, void *stream,
               void *args, const uint16_t *offsets, int n);

int drv_capture_begin(drv_place p, void *stream);
int drv_capture_end(drv_place p, void *stream, void **graph);
int drv_graph_instantiate(drv_place p, void **exec, void *graph);
int drv_graph_launch(drv_place p, void *exec, void *stream);
int drv_graph_free(drv_place p, void *graph);
int drv_graph_exec_free(drv_place p, void *exec);

int drv_tensor_map(void *map, int type, int rank, void *base, const uint64_t *dims, const uint64_t *strides, const uint32_t *box, const uint32_t *steps,
                   int interleave, int swizzle, int l2, int fill);
#endif
