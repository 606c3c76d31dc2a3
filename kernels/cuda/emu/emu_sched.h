// Between the scheduler (sched.cc) and the fake driver (driver.cc).
#ifndef SYNTIC_EMU_SCHED_H
#define SYNTIC_EMU_SCHED_H
#include <string>

#include "emu.h"

namespace emu {

const Kernel *find_kernel(const char *name);
const std::vector<const Kernel *> &all_kernels();

// launch runs a kernel to its end. It returns 0 or a result code, with what happened in *why.
int launch(const Kernel *k, Dim grid, Dim block, size_t smem, void **params, unsigned seed, std::string *why);

void install_fault_handler();

// where names the allocation around or beside an address, for reports; in driver.cc.
std::string where(const void *p);
// allocation finds the device allocation that holds the address; in driver.cc.
bool allocation(const void *p, const char **begin, size_t *bytes);

const size_t max_shared = 227 * 1024;

}  // namespace emu
#endif
