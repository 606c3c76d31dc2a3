package bench

import (
	"fmt"
	"slices"
	"strings"

	"syntic/kernels"
	_ "syntic/tensor" // registers the variants of every device that this binary has
)

// Op is one operation as a list shows it.
type Op struct {
	Name     string    `json:"op"`
	Override string    `json:"override,omitempty"` // the variant asked for by --kernel or SYNTIC_KERNEL
	Variants []Variant `json:"variants"`           // by falling rank
	Picks    []Pick    `json:"picks"`              // one a test size
}

// Variant is one implementation of an op.
type Variant struct {
	Name      string `json:"variant"`
	Device    string `json:"device"`
	Rank      int    `json:"rank"`
	Available bool   `json:"available"` // whether this machine can run it at all
	Unordered bool   `json:"unordered"` // sums in no fixed order: never taken unasked
	Note      string `json:"note,omitempty"`
	Picked    int    `json:"picked"` // test sizes for which it is taken
}

// Pick is what a device takes at one test size, and why. Variant is "" if nothing there can run it.
type Pick struct {
	Device  string `json:"device"`
	Dims    []int  `json:"dims"`
	Variant string `json:"variant"`
	Why     string `json:"why"`
}

// List tells of the ops of the given names, or of all ops for none. A name that no op has is an error.
func List(names ...string) ([]Op, error) {
	found, err := ops(names)
	if err != nil {
		return nil, err
	}
	list := make([]Op, len(found))
	for i, op := range found {
		list[i] = describe(op)
	}
	return list, nil
}

// ops finds ops by name, in the order of kernels.Ops.
func ops(names []string) ([]kernels.AnyOp, error) {
	all := kernels.Ops()
	if len(names) == 0 {
		return all, nil
	}
	var known []string
	for _, op := range all {
		known = append(known, op.String())
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("no op %q, there are %s", name, strings.Join(known, ", "))
		}
	}
	return slices.DeleteFunc(all, func(op kernels.AnyOp) bool { return !slices.Contains(names, op.String()) }), nil
}

func describe(op kernels.AnyOp) Op {
	d := Op{Name: op.String(), Override: kernels.Overridden(op.String())}
	for _, v := range op.VariantList() {
		d.Variants = append(d.Variants, Variant{Name: v.Name, Device: v.Device.String(), Rank: v.Rank, Available: v.Available, Unordered: v.Unordered, Note: v.Note})
	}
	for i := range op.NumCases() {
		c := op.NewCase(i, 1)
		for _, kind := range []kernels.DeviceKind{kernels.CPU, kernels.CUDA} {
			if kernels.BackendOf(kind) == nil {
				continue
			}
			pick := Pick{Device: kind.String(), Dims: c.Dims, Variant: c.Chosen(kind)}
			pick.Why = d.why(pick, c.Usable)
			for j, v := range d.Variants {
				if v.Device == pick.Device && v.Name == pick.Variant {
					d.Variants[j].Picked++
				}
			}
			d.Picks = append(d.Picks, pick)
		}
	}
	return d
}

// why gives the reason of a pick: asked for by name, or the highest rank that is left when those above it cannot run.
func (d *Op) why(p Pick, usable func(variant string) bool) string {
	if d.Override != "" {
		if p.Variant == "" {
			return fmt.Sprintf("%s, asked for by name, cannot run this size here", d.Override)
		}
		return "asked for by name"
	}
	var reasons []string
	for _, v := range d.Variants {
		switch {
		case v.Device != p.Device:
			continue
		case v.Name == p.Variant:
			return strings.Join(append([]string{fmt.Sprintf("highest rank (%d) of what can run", v.Rank)}, reasons...), "; ")
		case !v.Available:
			reasons = append(reasons, v.Name+" needs instructions that are not there or not in use")
		case v.Unordered:
			reasons = append(reasons, v.Name+" has no fixed order of sums, only on request")
		case !usable(v.Name):
			reasons = append(reasons, v.Name+" does not take this size or type")
		}
	}
	return "no variant can run it"
}
