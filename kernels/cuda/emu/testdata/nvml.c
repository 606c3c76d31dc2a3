// A libnvidia-ml for tests: one device, 0000:01:00.0, whose state is SYNTIC_EMU_NVML: "clock highest memory celsius milliwatts reasons", -1 for what it cannot tell.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6 };
static int device, started;

static long long told(int which) {
  long long v[6] = {-1, -1, -1, -1, -1, -1};
  const char *text = getenv("SYNTIC_EMU_NVML");
  if (text) sscanf(text, "%lld %lld %lld %lld %lld %lld", v, v + 1, v + 2, v + 3, v + 4, v + 5);
  return v[which];
}
static int tell(void *d, int which, unsigned *to) {
  if (d != &device || !started) return INVALID_ARGUMENT;
  if (told(which) < 0) return NOT_SUPPORTED;
  return *to = (unsigned)told(which), SUCCESS;
}

int nvmlInit_v2(void) { return started = 1, SUCCESS; }
int nvmlDeviceGetHandleByPciBusId_v2(const char *bus, void **d) {
  if (strcmp(bus, "0000:01:00.0") || !getenv("SYNTIC_EMU_NVML")) return NOT_FOUND;
  return *d = &device, SUCCESS;
}
int nvmlDeviceGetClockInfo(void *d, int kind, unsigned *to) { return kind == 1 || kind == 2 ? tell(d, kind == 1 ? 0 : 2, to) : INVALID_ARGUMENT; }
int nvmlDeviceGetMaxClockInfo(void *d, int kind, unsigned *to) { return kind == 1 ? tell(d, 1, to) : INVALID_ARGUMENT; }
int nvmlDeviceGetTemperature(void *d, int sensor, unsigned *to) { return sensor == 0 ? tell(d, 3, to) : INVALID_ARGUMENT; }
int nvmlDeviceGetPowerUsage(void *d, unsigned *to) { return tell(d, 4, to); }
int nvmlDeviceGetCurrentClocksThrottleReasons(void *d, unsigned long long *to) {
  if (d != &device || told(5) < 0) return NOT_SUPPORTED;
  return *to = (unsigned long long)told(5), SUCCESS;
}
