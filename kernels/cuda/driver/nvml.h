// NVML as this package uses it: own declarations (ABI facts of its documentation), no toolkit header.
#ifndef SYNTIC_NVML_H
#define SYNTIC_NVML_H
#include <stddef.h>

typedef struct { unsigned clock, most, memory, celsius, milliwatts; unsigned long long reasons; } nvml_state; // ~0 where it is not told

int nvml_open(const char *path, char *err, size_t errlen); // 0 or -1 with a message
int nvml_look(const char *bus, nvml_state *s);             // of the device with this PCI address
#endif
