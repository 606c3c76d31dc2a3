package cli

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// Table prints rows in aligned columns. A column's name that begins with '>' is aligned to the right (numbers).
//
//	t := cli.NewTable("row", ">CIDEr-D", ">BLEU-4")
//	t.Row("SynTIC", "198.5", "40.3")
//	t.Write(cmd.OutOrStdout())
type Table struct {
	names []string
	right []bool
	rows  [][]string // a nil row is a rule
}

// NewTable starts a table with the given columns. Empty names throughout leave the head out.
func NewTable(columns ...string) *Table {
	t := &Table{names: make([]string, len(columns)), right: make([]bool, len(columns))}
	for i, name := range columns {
		t.names[i], t.right[i] = strings.TrimPrefix(name, ">"), strings.HasPrefix(name, ">")
	}
	return t
}

// Row adds a row; cells are formatted with %v. Missing cells are empty; more cells than columns panic.
func (t *Table) Row(cells ...any) {
	if len(cells) > len(t.names) {
		panic(fmt.Sprintf("cli: row of %d cells in a table of %d columns", len(cells), len(t.names)))
	}
	row := make([]string, len(t.names))
	for i, cell := range cells {
		row[i] = oneLine(fmt.Sprint(cell))
	}
	t.rows = append(t.rows, row)
}

// Rule adds a horizontal line.
func (t *Table) Rule() { t.rows = append(t.rows, nil) }

// Write prints the table with two blanks between columns and none at the end of lines.
func (t *Table) Write(w io.Writer) error {
	widths := make([]int, len(t.names))
	head := false
	for i, name := range t.names {
		widths[i], head = Width(name), head || name != ""
		for _, row := range t.rows {
			if row != nil {
				widths[i] = max(widths[i], Width(row[i]))
			}
		}
	}
	total := 2 * (len(widths) - 1)
	for _, n := range widths {
		total += n
	}
	var b strings.Builder
	rule := strings.Repeat("─", max(total, 0)) + "\n"
	if head {
		t.line(&b, t.names, widths)
		b.WriteString(rule)
	}
	for _, row := range t.rows {
		if row == nil {
			b.WriteString(rule)
			continue
		}
		t.line(&b, row, widths)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (t *Table) line(b *strings.Builder, cells []string, widths []int) {
	var line strings.Builder
	for i, cell := range cells {
		if i > 0 {
			line.WriteString("  ")
		}
		pad := strings.Repeat(" ", widths[i]-Width(cell))
		if t.right[i] {
			line.WriteString(pad + cell)
		} else {
			line.WriteString(cell + pad)
		}
	}
	b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
}

// Width is the number of terminal cells s takes: 2 for wide East Asian characters and emoji, 0 for combining marks.
func Width(s string) int {
	n := 0
	for _, r := range s {
		switch kind := width.LookupRune(r).Kind(); {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf): // marks and joiners sit on the character before
		case kind == width.EastAsianWide || kind == width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}
