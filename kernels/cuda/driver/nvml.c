//go:build cuda

#include "nvml.h"
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static struct {
  int (*init)(void);
  int (*find)(const char *, void **);
  int (*clock)(void *, int, unsigned *), (*most)(void *, int, unsigned *), (*celsius)(void *, int, unsigned *), (*power)(void *, unsigned *);
  int (*reasons)(void *, unsigned long long *);
} nvml;

int nvml_open(const char *path, char *err, size_t errlen) {
  void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!lib) {
    snprintf(err, errlen, "%s", dlerror());
    return -1;
  }
  const struct { void *to; const char *name; } all[] = {{&nvml.init, "nvmlInit_v2"}, {&nvml.find, "nvmlDeviceGetHandleByPciBusId_v2"}, {&nvml.clock, "nvmlDeviceGetClockInfo"},
    {&nvml.most, "nvmlDeviceGetMaxClockInfo"}, {&nvml.celsius, "nvmlDeviceGetTemperature"}, {&nvml.power, "nvmlDeviceGetPowerUsage"},
    {&nvml.reasons, "nvmlDeviceGetCurrentClocksThrottleReasons"}};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (!(*(void **)all[i].to = dlsym(lib, all[i].name))) {
      snprintf(err, errlen, "%s has no %s", path, all[i].name);
      return -1;
    }
  int r = nvml.init();
  if (r) snprintf(err, errlen, "nvmlInit: %d", r);
  return r ? -1 : 0;
}

int nvml_look(const char *bus, nvml_state *s) {
  void *d;
  int r = nvml.find(bus, &d);
  if (r) return r;
  memset(s, 0xff, sizeof *s);
  enum { SM = 1, MEMORY = 2 };
  if (nvml.clock(d, SM, &s->clock)) s->clock = ~0u;
  if (nvml.most(d, SM, &s->most)) s->most = ~0u;
  if (nvml.clock(d, MEMORY, &s->memory)) s->memory = ~0u;
  if (nvml.celsius(d, 0, &s->celsius)) s->celsius = ~0u;
  if (nvml.power(d, &s->milliwatts)) s->milliwatts = ~0u;
  if (nvml.reasons(d, &s->reasons)) s->reasons = ~0ull;
  return 0;
}
