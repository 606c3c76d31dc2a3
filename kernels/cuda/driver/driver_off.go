//go:build !cuda

package driver

import "fmt"

// Open says that this binary cannot use a GPU.
func Open() error { return fmt.Errorf("%w: built without the cuda tag", ErrNoDriver) }
