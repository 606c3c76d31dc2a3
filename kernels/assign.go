package kernels

import "math"

// assigner holds a best assignment of rows to columns so far: every row its own column so that the sum of the costs is least, O(n²m) by shortest augmenting paths with
// potentials (Kuhn 1955; Jonker and Volgenant 1987). Potentials u of rows and v of columns keep every reduced cost, cost − u − v, at 0 or above, and at 0
// between partners. Among equally good solutions the choice is fixed by the order of rows and columns.
type assigner struct {
	cost []float64 // [rows, cols], finite
	cols int
	u, v []float64
	row  []int     // the partner of each column, -1 none
	via  []int     // the column before each one on the shortest path to it; -1: the new row
	dist []float64 // the length of that path
	done []bool
}

// reset makes room for costs of rows rows, at most as many as cols, with nothing assigned.
func (a *assigner) reset(rows, cols int) {
	a.cols = cols
	a.cost, a.u, a.v, a.dist = grown(a.cost, rows*cols), grown(a.u, rows), grown(a.v, cols), grown(a.dist, cols)
	a.row, a.via, a.done = grown(a.row, cols), grown(a.via, cols), grown(a.done, cols)
	clear(a.u)
	clear(a.v)
	for j := range a.row {
		a.row[j] = -1
	}
}

// grown is a slice of n, the same memory where it is large enough.
func grown[T any](x []T, n int) []T {
	if cap(x) < n {
		return make([]T, n)
	}
	return x[:n]
}

// add takes in row i along the shortest path, by reduced costs, to a free column (Dijkstra's algorithm). Of columns equally near the first is taken.
func (a *assigner) add(i int) {
	for j := range a.dist {
		a.dist[j], a.done[j] = math.Inf(1), false
	}
	at, last, length := i, -1, 0.0 // row `at` was reached over column `last`
	for at >= 0 {
		next := -1
		for j := range a.cols {
			if a.done[j] {
				continue
			}
			if d := length + a.cost[at*a.cols+j] - a.u[at] - a.v[j]; d < a.dist[j] {
				a.dist[j], a.via[j] = d, last
			}
			if next < 0 || a.dist[j] < a.dist[next] {
				next = j
			}
		}
		a.done[next] = true
		last, length, at = next, a.dist[next], a.row[next]
	}
	a.u[i] += length
	for j, done := range a.done {
		if done {
			if r := a.row[j]; r >= 0 {
				a.u[r] += length - a.dist[j]
			}
			a.v[j] -= length - a.dist[j]
		}
	}
	for j := last; j >= 0; j = a.via[j] { // partners move one along the path
		if p := a.via[j]; p >= 0 {
			a.row[j] = a.row[p]
		} else {
			a.row[j] = i
		}
	}
}
