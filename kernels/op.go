package kernels

import (
	"fmt"
	"os"
	"slices"
	"sort"
	"strings"
	"sync"
)

// Cost is what a call needs at least: floating-point operations (a multiply-add is 2) and bytes moved if everything is touched once.
type Cost struct{ FLOPs, Bytes float64 }

// Op is one operation: what it computes and every way to do it. A is the struct of its arguments.
type Op[A any] struct {
	Name  string
	Dims  [][]int                      // sizes that tests try; odd ones among them
	Make  func(r *Rand, d []int) A     // random inputs and poisoned outputs of such sizes, in host memory
	Views func(a *A) (in, out []*View) // operands; an operand that is changed in place is in both lists
	Cost  func(a *A) Cost              // for benchmarks and the roofline
	Check func(a *A) error             // wanted against found shapes
	Ref   func(a *A)                   // plain loops in float64; never made faster
	Renew func(a *A)                   // makes inputs that follow from others again, after a test changed those; nil: none do
	Tol   float64                      // of parity, relative to the largest value of an output; 0 means 2e-6
	Meet  int                          // how many rounded numbers meet in one of an output where a variant rounds operands; 0 means 2, those of a product
	list  []*Variant[A]                // by falling rank
	spare *sync.Pool                   // of *A, for Do; a pointer, so that tests may copy an Op
}

// Variant is one implementation of an op.
type Variant[A any] struct {
	Name      string
	Device    DeviceKind
	Rank      int             // the usable variant of highest rank is taken
	Usable    func(a *A) bool // nil: always
	Available func() bool     // whether this machine can run it at all; nil: yes
	Run       func(s *Stream, a *A) error
	Operands  DType    // to which operands are rounded before they are multiplied; F32: not at all
	Within    bool     // intermediate results are rounded to Operands too, before they are multiplied
	Unordered bool     // sums in no fixed order: never taken unasked
	Instead   []string // variants in whose place it runs, where it is usable, if those are asked for of every op (*=name)
	Note      string   // one line for `syntic kernels`: instruction set, limits, "emulated only"
}

// AnyOp is an Op without its type, for lists.
type AnyOp interface {
	String() string
	VariantList() []VariantInfo
	NumCases() int
	NewCase(i int, seed uint64) *Case
	NewCaseOf(dims []int, seed uint64) *Case
	CaseDims(i int) []int
	NewCall(dims []int) *Call
	Tolerance() float64
	Roundings() int
}

// VariantInfo tells of a variant without its type.
type VariantInfo struct {
	Name      string
	Device    DeviceKind
	Rank      int
	Available bool
	Unordered bool
	Note      string
	Operands  DType
	Within    bool
}

// Case is one set of arguments of an op, without its type.
type Case struct {
	Dims    []int
	Cost    Cost
	In, Out []*View
	Ref     func()
	Renew   func()
	Check   func() error
	Usable  func(variant string) bool
	Run     func(s *Stream, variant string) error // "" takes the default choice
	Chosen  func(k DeviceKind) string             // what would be taken
}

var ops []AnyOp

func register[A any](o *Op[A]) *Op[A] {
	o.spare = new(sync.Pool)
	o.Add(Variant[A]{Name: "reference", Device: CPU, Rank: -100, Note: "float64 loops", Run: func(_ *Stream, a *A) error { o.Ref(a); return nil }})
	ops = append(ops, o)
	return o
}

// Ops lists every operation, by name.
func Ops() []AnyOp {
	l := append([]AnyOp(nil), ops...)
	sort.Slice(l, func(i, j int) bool { return l[i].String() < l[j].String() })
	return l
}

// Add registers a variant; called from init functions.
func (o *Op[A]) Add(v Variant[A]) {
	o.list = append(o.list, &v)
	sort.SliceStable(o.list, func(i, j int) bool { return o.list[i].Rank > o.list[j].Rank })
}

func (o *Op[A]) String() string { return o.Name }

// Tolerance is the allowed error relative to the largest value of an output.
func (o *Op[A]) Tolerance() float64 {
	if o.Tol == 0 {
		return 2e-6
	}
	return o.Tol
}

// Roundings is how many rounded numbers meet in one number of an output of a variant that rounds operands.
func (o *Op[A]) Roundings() int { return max(2, o.Meet) }

var overrides struct {
	sync.Mutex
	once sync.Once
	m    map[string]string
	all  map[string]bool // asked for of every op
	err  error
}

func loadEnv() {
	overrides.m, overrides.all = map[string]string{}, map[string]bool{}
	for _, e := range strings.FieldsFunc(os.Getenv("SYNTIC_KERNEL"), func(r rune) bool { return r == ',' || r == ' ' }) {
		if err := setOverride(e); err != nil && overrides.err == nil {
			overrides.err = fmt.Errorf("SYNTIC_KERNEL: %w", err)
		}
	}
}

func setOverride(s string) error {
	op, variant, ok := strings.Cut(s, "=")
	if !ok {
		return fmt.Errorf("kernel choice %q: want op=variant", s)
	}
	found := false
	for _, o := range ops {
		if o.String() != op && op != "*" {
			continue
		}
		var names []string
		for _, v := range o.VariantList() {
			names = append(names, v.Name)
		}
		if slices.Contains(names, variant) {
			overrides.m[o.String()], overrides.all[o.String()], found = variant, op == "*", true
		} else if op != "*" {
			return fmt.Errorf("kernel choice %q: %s has no variant %q, it has %s", s, op, variant, strings.Join(names, ", "))
		}
	}
	switch {
	case found:
		return nil
	case op == "*":
		return fmt.Errorf("kernel choice %q: no op has a variant %q (see syntic kernels)", s, variant)
	}
	return fmt.Errorf("kernel choice %q: no op %q (see syntic kernels)", s, op)
}

// Override makes op=variant the choice of this process, as SYNTIC_KERNEL does; *=variant is the choice for every op that has a variant of that
// name. To be called before work begins.
func Override(choice string) error {
	overrides.once.Do(loadEnv)
	overrides.Lock()
	defer overrides.Unlock()
	return setOverride(choice)
}

// Overridden is the variant asked for by Override or SYNTIC_KERNEL, or "".
func Overridden(op string) string {
	overrides.once.Do(loadEnv)
	overrides.Lock()
	defer overrides.Unlock()
	return overrides.m[op]
}

// EnvError tells what was wrong in SYNTIC_KERNEL, if anything.
func EnvError() error { overrides.once.Do(loadEnv); return overrides.err }

func (v *Variant[A]) fits(k DeviceKind, a *A) bool {
	return v.Device == k && (v.Available == nil || v.Available()) && (v.Usable == nil || v.Usable(a))
}

// Choose is the variant that Run takes on a device of this kind: the override, or the usable one of highest rank.
func (o *Op[A]) Choose(k DeviceKind, a *A) (*Variant[A], error) {
	overrides.once.Do(loadEnv)
	if len(overrides.m) > 0 {
		if name, ok := overrides.m[o.Name]; ok {
			for _, v := range o.list {
				if overrides.all[o.Name] && slices.Contains(v.Instead, name) && v.fits(k, a) {
					return v, nil
				}
			}
			for _, v := range o.list {
				if v.Name == name && v.fits(k, a) {
					return v, nil
				}
			}
			return nil, fmt.Errorf("variant %q, asked for by name, cannot run %s on %v here", name, o.describe(a), k)
		}
	}
	for _, v := range o.list {
		if !v.Unordered && v.fits(k, a) {
			return v, nil
		}
	}
	return nil, fmt.Errorf("no variant for %s on %v", o.describe(a), k)
}

// Serves tells whether there are variants for a kind of device at all.
func (o *Op[A]) Serves(k DeviceKind) bool {
	return slices.ContainsFunc(o.list, func(v *Variant[A]) bool { return v.Device == k })
}

// Rounds is the format to which the variant asked for by name rounds operands; F32 if it does not, or none was asked for.
func (o *Op[A]) Rounds() DType {
	if name := Overridden(o.Name); name != "" {
		for _, v := range o.list {
			if v.Name == name {
				return v.Operands
			}
		}
	}
	return F32
}

func (o *Op[A]) describe(a *A) string {
	in, out := o.Views(a)
	var b strings.Builder
	for _, v := range in {
		fmt.Fprintf(&b, "%v ", v)
	}
	b.WriteString("->")
	for _, v := range out {
		fmt.Fprintf(&b, " %v", v)
	}
	return b.String()
}

// Run checks the arguments and runs the chosen variant. Errors begin with the op's name.
func (o *Op[A]) Run(s *Stream, a *A) error {
	if err := o.Check(a); err != nil {
		return fmt.Errorf("%s: %w", o.Name, err)
	}
	v, err := o.Choose(s.Kind, a)
	if err == nil {
		if p := profiler; p != nil {
			err = p(o.Name, v.Name, o.Cost(a), func() error { return v.Run(s, a) })
		} else {
			err = v.Run(s, a)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", o.Name, err)
	}
	return nil
}

// Do is Run on a copy of the arguments in memory that is used again: a call allocates nothing for them.
func (o *Op[A]) Do(s *Stream, a A) error {
	p, ok := o.spare.Get().(*A)
	if !ok {
		p = new(A)
	}
	*p = a
	err := o.Run(s, p)
	*p = *new(A) // keeps no operand alive
	o.spare.Put(p)
	return err
}

// Profiler sees every op that runs: it must call run once and return its error.
type Profiler func(op, variant string, c Cost, run func() error) error

var profiler Profiler

// SetProfiler installs a profiler for the whole process, nil removes it. Not while ops run.
func SetProfiler(p Profiler) { profiler = p }

// VariantList tells of the variants, by falling rank.
func (o *Op[A]) VariantList() []VariantInfo {
	l := make([]VariantInfo, len(o.list))
	for i, v := range o.list {
		l[i] = VariantInfo{v.Name, v.Device, v.Rank, v.Available == nil || v.Available(), v.Unordered, v.Note, v.Operands, v.Within}
	}
	return l
}

// NumCases is the number of test sizes.
func (o *Op[A]) NumCases() int { return len(o.Dims) }

// CaseDims are the sizes of the i-th test case.
func (o *Op[A]) CaseDims(i int) []int { return o.Dims[i] }

// NewCase makes the i-th test case; the same seed gives the same inputs.
func (o *Op[A]) NewCase(i int, seed uint64) *Case { return o.NewCaseOf(o.Dims[i], seed) }

// NewCaseOf makes a case of any sizes that mean what those in Dims mean. It panics if there are fewer, or if they make no sense for Make;
// Check tells of the others.
func (o *Op[A]) NewCaseOf(dims []int, seed uint64) *Case {
	a := o.Make(NewRand(seed), dims)
	c := &Case{Dims: dims, Cost: o.Cost(&a), Ref: func() { o.Ref(&a) }, Check: func() error { return o.Check(&a) }, Renew: func() {}}
	if o.Renew != nil {
		c.Renew = func() { o.Renew(&a) }
	}
	in, out := o.Views(&a)
	for _, v := range in {
		if !v.Absent() {
			c.In = append(c.In, v)
		}
	}
	for _, v := range out {
		if !v.Absent() {
			c.Out = append(c.Out, v)
		}
	}
	c.Chosen = func(k DeviceKind) string {
		v, err := o.Choose(k, &a)
		if err != nil {
			return ""
		}
		return v.Name
	}
	c.Usable = func(name string) bool { v := o.find(name); return v != nil && v.fits(v.Device, &a) }
	c.Run = func(s *Stream, name string) error { return o.runVariant(s, &a, name) }
	return c
}

func (o *Op[A]) find(name string) *Variant[A] {
	for _, v := range o.list {
		if v.Name == name {
			return v
		}
	}
	return nil
}

// runVariant runs one variant by name, or the default choice for "".
func (o *Op[A]) runVariant(s *Stream, a *A, name string) error {
	if name == "" {
		return o.Run(s, a)
	}
	if err := o.Check(a); err != nil {
		return fmt.Errorf("%s: %w", o.Name, err)
	}
	v := o.find(name)
	if v == nil || !v.fits(s.Kind, a) {
		return fmt.Errorf("%s: variant %q cannot run %s on %v here", o.Name, name, o.describe(a), s.Kind)
	}
	return v.Run(s, a)
}
