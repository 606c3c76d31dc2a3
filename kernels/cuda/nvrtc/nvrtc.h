// NVRTC as this package uses it: own declarations (ABI facts of its documentation), no toolkit header.
#ifndef SYNTIC_NVRTC_H
#define SYNTIC_NVRTC_H
#include <stddef.h>

int rtc_open(const char *path, char *err, size_t errlen); // 0 or -1 with a message
int rtc_version(int *major, int *minor);
const char *rtc_error(int code);
// rtc_compile gives an image to be freed, or NULL, and what the compiler says, to be freed, or NULL.
int rtc_compile(const char *source, const char *name, int headers, const char **texts, const char **names, int options, const char **option, char **image, size_t *size, char **log);
#endif
