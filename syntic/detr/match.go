package detr

import "math"

// Assign gives each of the fewer of rows and columns its own partner so that the sum of the costs [rows, cols] is least: the result is, for
// every row, its column, or -1 if there are more rows than columns and it has none. O(n²m) by shortest augmenting paths with potentials
// (Kuhn 1955; Jonker and Volgenant 1987). Costs must be finite; among equally good solutions the choice is fixed by the order of the costs.
func Assign(cost []float64, rows, cols int) []int {
	if rows > cols {
		flipped := make([]float64, len(cost))
		for i := range rows {
			for j := range cols {
				flipped[j*rows+i] = cost[i*cols+j]
			}
		}
		out := make([]int, rows)
		for i := range out {
			out[i] = -1
		}
		for j, i := range Assign(flipped, cols, rows) {
			out[i] = j
		}
		return out
	}
	a := assigner{cost: cost, cols: cols, u: make([]float64, rows), v: make([]float64, cols), row: make([]int, cols), via: make([]int, cols),
		dist: make([]float64, cols), done: make([]bool, cols)}
	for j := range a.row {
		a.row[j] = -1
	}
	for i := range rows {
		a.add(i)
	}
	out := make([]int, rows)
	for j, i := range a.row {
		if i >= 0 {
			out[i] = j
		}
	}
	return out
}

// assigner holds a best assignment of the rows so far. Potentials u of rows and v of columns keep every reduced cost, cost − u − v, at 0 or
// above, and at 0 between partners.
type assigner struct {
	cost []float64
	cols int
	u, v []float64
	row  []int     // the partner of each column, -1 none
	via  []int     // the column before each one on the shortest path to it; -1: the new row
	dist []float64 // the length of that path
	done []bool
}

// add takes in row i along the shortest path, by reduced costs, to a free column (Dijkstra's algorithm).
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
