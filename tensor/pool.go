package tensor

import (
	"slices"
	"sync"
	"unsafe"
)

// pool keeps freed buffers by size class: powers of two and three steps between. On the CPU, a large one is halved where a tensor of half its size, a quarter or an
// eighth needs memory, and made whole when both halves are free; and before a large one is asked of the system, smaller ones that lie idle are given back. A net
// whose maps grow from level to level would otherwise hold the buffers of all levels at once.
type pool struct {
	mu   sync.Mutex
	dev  *Device
	free map[int][]unsafe.Pointer
	idle int                      // bytes on the free lists
	twin map[block]unsafe.Pointer // of a half, where the other one is
}

// block is a buffer: a half begins where the whole did.
type block struct {
	ptr   unsafe.Pointer
	class int
}

const largeBuffer = 1 << 22 // bytes

func sizeClass(bytes int) int {
	c := 256
	for c < bytes {
		c *= 2
	}
	for _, q := range []int{5, 6, 7} {
		if c > 1024 && c/8*q >= bytes {
			return c / 8 * q
		}
	}
	return c
}

func (p *pool) get(bytes int) (unsafe.Pointer, int) {
	c := sizeClass(bytes)
	p.mu.Lock()
	ptr := p.take(c)
	if ptr == nil && c >= largeBuffer && p.dev.IsCPU() {
		if ptr = p.halve(c); ptr == nil {
			p.shed(func(class int) bool { return class >= largeBuffer && class < c })
		}
	}
	p.mu.Unlock()
	if ptr != nil {
		return ptr, c
	}
	ptr, err := p.dev.backend.Alloc(p.dev.info.Index, c)
	if err != nil {
		p.trim()
		p.dev.pool.trim() // p may be a graph's own
		ptr, err = p.dev.backend.Alloc(p.dev.info.Index, c)
	}
	check(err)
	return ptr, c
}

// take is an idle buffer of class c, or nil.
func (p *pool) take(c int) unsafe.Pointer {
	l := p.free[c]
	if len(l) == 0 {
		return nil
	}
	p.free[c] = l[:len(l)-1]
	p.idle -= c
	return l[len(l)-1]
}

// halve makes a buffer of class c of an idle one that is two, four or eight times as large, or returns nil.
func (p *pool) halve(c int) unsafe.Pointer {
	for from := 2 * c; from <= 8*c; from *= 2 {
		ptr := p.take(from)
		if ptr == nil {
			continue
		}
		for from > c {
			from /= 2
			other := unsafe.Add(ptr, from)
			if p.twin == nil {
				p.twin = map[block]unsafe.Pointer{}
			}
			p.twin[block{ptr, from}], p.twin[block{other, from}] = other, ptr
			p.lay(other, from)
		}
		return ptr
	}
	return nil
}

// put takes a buffer back.
func (p *pool) put(ptr unsafe.Pointer, class int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		other, is := p.twin[block{ptr, class}]
		if !is {
			break
		}
		at := slices.Index(p.free[class], other)
		if at < 0 {
			break
		}
		p.free[class] = slices.Delete(p.free[class], at, at+1)
		p.idle -= class
		delete(p.twin, block{ptr, class})
		delete(p.twin, block{other, class})
		if uintptr(other) < uintptr(ptr) {
			ptr = other
		}
		class *= 2
	}
	p.lay(ptr, class)
}

// lay enters an idle buffer.
func (p *pool) lay(ptr unsafe.Pointer, class int) {
	if p.free == nil {
		p.free = map[int][]unsafe.Pointer{}
	}
	p.free[class] = append(p.free[class], ptr)
	p.idle += class
}

// shed gives idle buffers of some classes back to the system; halves stay, for their other half is in use.
func (p *pool) shed(which func(class int) bool) {
	for c, l := range p.free {
		if !which(c) {
			continue
		}
		p.free[c] = slices.DeleteFunc(l, func(ptr unsafe.Pointer) bool {
			if _, is := p.twin[block{ptr, c}]; is {
				return false
			}
			p.dev.backend.Free(p.dev.info.Index, ptr)
			p.idle -= c
			return true
		})
	}
}

// trim gives idle memory back to the system.
func (p *pool) trim() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shed(func(int) bool { return true })
}
