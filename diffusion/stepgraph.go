package diffusion

import (
	"slices"
	"sync"
	"unsafe"

	"syntic/nn"
	"syntic/tensor"
)

// steps calls the model in one sampling run: op by op, or, where the device has graphs, by one graph of the whole call that is recorded once a shape and
// then replayed, for a UNet is some hundred launches of short kernels. The bits are the same.
type steps struct {
	u        *UNet
	text     *Context
	sin      *tensor.Tensor // [calls, C0]: the times' sinusoids
	guidance float32        // above 1: x is called with and without the text
	graph    *stepGraph     // nil: op by op
}

// stepGraph is a recorded call with the memory that it reads: latents, sinusoids, keys and values of the text.
type stepGraph struct {
	shape    []int // of x and of the first key of the text
	guidance float32
	places   []unsafe.Pointer // of the parameters, whose addresses it knows
	graph    *tensor.Graph
	x, sin   *tensor.Tensor
	text     *Context
	out      *tensor.Tensor
	busy     bool
}

// stepGraphs are those of a UNet, the one that was used last first.
type stepGraphs struct {
	mu   sync.Mutex
	list []*stepGraph
}

// maxStepGraphs is how many shapes keep their graph, and with it the memory of their intermediate results: that of most batches and that of the last.
const maxStepGraphs = 2

// begin prepares a run of calls at times for x [B, H, W, C] under text states hidden, in r. The caller calls end when it is over.
func (u *UNet) begin(r *tensor.Scope, x, hidden *tensor.Tensor, times []float64, guidance float32, eager bool) *steps {
	st := &steps{u: u, text: u.Context(r, hidden), sin: u.sinusoids(r, times), guidance: guidance} // keys and values of the text, once
	if !eager && len(times) > 1 && !r.Tracing() && r.Device().HasGraphs() {
		st.graph = u.takeGraph(r, x, st)
	}
	return st
}

// Repeated prepares calls of the model, one like the other and without guidance, for measurements: by a graph where the device has them. Latents x [B, H, W, C]
// and text states hidden [B or 1, L, C] are r's, which must stay open until end is called.
func (u *UNet) Repeated(r *tensor.Scope, x, hidden *tensor.Tensor, time float64) (call func(s *tensor.Scope) *tensor.Tensor, end func()) {
	st := u.begin(r, x, hidden, []float64{time, time}, 1, false)
	return func(s *tensor.Scope) *tensor.Tensor { return st.call(s, x, 0) }, st.end
}

func (st *steps) end() {
	if st.graph != nil {
		st.u.graphs.mu.Lock()
		st.graph.busy = false
		st.u.graphs.mu.Unlock()
	}
}

// call is the prediction for x at call i, guidance included: [B, H, W, C], in s.
func (st *steps) call(s *tensor.Scope, x *tensor.Tensor, i int) *tensor.Tensor {
	sin := s.Slice(st.sin, 0, i, i+1)
	g := st.graph
	if g == nil {
		return st.forward(s, x, sin, st.text)
	}
	s.Assign(g.x, 0, x)
	s.Assign(g.sin, 0, sin)
	g.graph.Replay(s)
	return s.Copy(g.out)
}

func (st *steps) forward(s *tensor.Scope, x, sin *tensor.Tensor, text *Context) *tensor.Tensor {
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		if !(st.guidance > 1) {
			return st.u.forward(s, x, sin, text)
		}
		return Guide(s, st.u.forward(s, s.Repeat0(x, 2), sin, text), st.guidance)
	})
}

// takeGraph is the graph for x under st's text, recorded if there is none yet; nil while another run has it.
func (u *UNet) takeGraph(r *tensor.Scope, x *tensor.Tensor, st *steps) *stepGraph {
	shape, places := slices.Clone(x.Shape()), []unsafe.Pointer(nil)
	u.eachCross(func(a *Attention) { shape = append(shape, st.text.keys[a].Shape()...) })
	for _, p := range nn.Parameters(u) {
		v := p.View()
		places = append(places, v.Ptr())
	}
	all := &u.graphs
	all.mu.Lock()
	defer all.mu.Unlock()
	all.drop(func(i int, g *stepGraph) bool { return !slices.Equal(g.places, places) }) // weights were exchanged
	for i, g := range all.list {
		if slices.Equal(g.shape, shape) && g.guidance == st.guidance {
			if g.busy {
				return nil
			}
			all.list = slices.Insert(slices.Delete(all.list, i, i+1), 0, g)
			g.busy = true
			g.setText(r, st.text)
			return g
		}
	}
	all.drop(func(i int, g *stepGraph) bool { return i >= maxStepGraphs-1 })
	g := &stepGraph{shape: shape, guidance: st.guidance, places: places, graph: tensor.NewGraph(r.Device(), "unet"), busy: true}
	g.x, g.sin = g.graph.Input(x.Shape()...), g.graph.Input(1, st.sin.Dim(1))
	g.text = &Context{keys: map[*Attention]*tensor.Tensor{}, values: map[*Attention]*tensor.Tensor{}}
	for a, k := range st.text.keys {
		g.text.keys[a], g.text.values[a] = g.graph.Input(k.Shape()...), g.graph.Input(k.Shape()...)
	}
	g.setText(r, st.text)
	r.Assign(g.x, 0, x)
	r.Assign(g.sin, 0, r.Slice(st.sin, 0, 0, 1))
	recorded := false
	defer func() {
		if !recorded {
			g.graph.Close()
		}
	}()
	g.out = g.graph.Record(func(s *tensor.Scope) *tensor.Tensor { return st.forward(s, g.x, g.sin, g.text) })
	recorded = true
	all.list = slices.Insert(all.list, 0, g)
	return g
}

func (g *stepGraph) setText(r *tensor.Scope, text *Context) {
	for a, k := range text.keys {
		r.Assign(g.text.keys[a], 0, k)
		r.Assign(g.text.values[a], 0, text.values[a])
	}
}

// drop closes graphs that are not in use and for which no longer holds.
func (s *stepGraphs) drop(no func(i int, g *stepGraph) bool) {
	var kept []*stepGraph
	for i, g := range s.list {
		if !g.busy && no(i, g) {
			g.graph.Close()
		} else {
			kept = append(kept, g)
		}
	}
	s.list = kept
}

func (s *stepGraphs) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(func(int, *stepGraph) bool { return true })
}

// eachCross visits the layers that attend to the text, in order.
func (u *UNet) eachCross(fn func(*Attention)) {
	u.eachTransformer(func(t *Transformer) {
		for _, b := range t.Blocks {
			fn(b.Cross)
		}
	})
}
