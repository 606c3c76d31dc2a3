package tensor

import "syntic/kernels"

// UseKernel makes variant the one that this process runs for the named op, wherever it fits. It is to be called before
// work begins; the error lists what there is. Package kernels describes the choice.
func UseKernel(op, variant string) error { return kernels.Override(op + "=" + variant) }

// KernelEnvError tells what is wrong with the choices in the variable SYNTIC_KERNEL, if anything.
func KernelEnvError() error { return kernels.EnvError() }
