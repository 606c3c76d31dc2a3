package kernels

import (
	"sync"
	"unsafe"
)

// Kept holds other forms of memory that nobody writes to, such as the panels into which a product packs a weight: an op makes a form when it first
// needs it and finds it at every later use. It belongs to the owner of the memory, who drops it together with that.
type Kept struct {
	mu    sync.Mutex
	forms []form
	made  func()
}

// OnMake names what is called after each form that is made; nil: nothing. The owner of memory that can be had again, such as a mapped file, lets go of it.
func (k *Kept) OnMake(made func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.made = made
}

// FormKey tells the forms of one memory apart.
type FormKey struct {
	By          any // who made it: a pointer
	Rows, Depth int // how the memory was read
	Unit        int
	Deep        bool
}

type form struct {
	key  FormKey
	data []float32
}

// Find is the form of this key, or nil.
func (k *Kept) Find(key FormKey) []float32 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.find(key)
}

func (k *Kept) find(key FormKey) []float32 {
	for i := range k.forms {
		if k.forms[i].key == key {
			return k.forms[i].data
		}
	}
	return nil
}

// Make is the form of this key, n values in memory of the host; if there is none, fill makes it. It is nil where there is no memory for it.
func (k *Kept) Make(key FormKey, n int, fill func(dst []float32)) []float32 {
	k.mu.Lock()
	defer k.mu.Unlock()
	if data := k.find(key); data != nil || n == 0 {
		return data
	}
	p, err := backends[CPU].Alloc(0, 4*n)
	if err != nil {
		return nil
	}
	data := unsafe.Slice((*float32)(p), n)
	fill(data)
	if k.made != nil {
		k.made()
	}
	k.forms = append(k.forms, form{key: key, data: data})
	return data
}

// Bytes is what all forms take.
func (k *Kept) Bytes() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := 0
	for i := range k.forms {
		n += 4 * len(k.forms[i].data)
	}
	return n
}

// Drop frees all forms, of which none may be in use.
func (k *Kept) Drop() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range k.forms {
		backends[CPU].Free(0, unsafe.Pointer(unsafe.SliceData(k.forms[i].data)))
	}
	k.forms = nil
}
