//go:build cuda

#include "nvrtc.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

typedef void *program;

#define TABLE(X)                                                                                          \
  X(version, "nvrtcVersion", int, (int *, int *))                                                         \
  X(error, "nvrtcGetErrorString", const char *, (int))                                                    \
  X(create, "nvrtcCreateProgram", int, (program *, const char *, const char *, int, const char **, const char **)) \
  X(compile, "nvrtcCompileProgram", int, (program, int, const char **))                                   \
  X(destroy, "nvrtcDestroyProgram", int, (program *))                                                     \
  X(cubinsize, "nvrtcGetCUBINSize", int, (program, size_t *))                                             \
  X(cubin, "nvrtcGetCUBIN", int, (program, char *))                                                       \
  X(logsize, "nvrtcGetProgramLogSize", int, (program, size_t *))                                          \
  X(log, "nvrtcGetProgramLog", int, (program, char *))

#define FIELD(field, name, type, params) type(*field) params;
static struct { TABLE(FIELD) } rtc;

int rtc_open(const char *path, char *err, size_t errlen) {
  void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!lib) {
    snprintf(err, errlen, "%s", dlerror());
    return -1;
  }
#define LOAD(field, name, type, params)                                          \
  *(void **)&rtc.field = dlsym(lib, name);                                       \
  if (!rtc.field) {                                                              \
    snprintf(err, errlen, "%s has no %s: want that of CUDA 11.1 or newer", path, name); \
    return -1;                                                                   \
  }
  TABLE(LOAD)
  return 0;
}

int rtc_version(int *major, int *minor) { return rtc.version(major, minor); }
const char *rtc_error(int code) { return rtc.error(code); }

int rtc_compile(const char *source, const char *name, int headers, const char **texts, const char **names, int options, const char **option, char **image, size_t *size, char **log) {
  program p;
  size_t n = 0;
  *image = *log = NULL;
  int r = rtc.create(&p, source, name, headers, texts, names);
  if (r) return r;
  r = rtc.compile(p, options, option);
  if (!rtc.logsize(p, &n) && n > 1 && (*log = malloc(n))) rtc.log(p, *log);
  if (!r) r = rtc.cubinsize(p, size);
  if (!r && (*image = malloc(*size))) r = rtc.cubin(p, *image);
  rtc.destroy(&p);
  return r;
}
