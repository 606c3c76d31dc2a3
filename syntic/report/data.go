package report

// Data is everything a report shows. Empty parts are left out of the page. Texts are plain; Render escapes them.
type Data struct {
	Title  string // what was run, such as "SynTIC on the drawn world"
	Lead   string // one or two sentences: what the reader sees, the main result in words
	Notice string // shown in a frame at the top, for whatever a reader must know first; usually empty
	Facts  []Fact // recipe, seeds, machine, version, total time: the line below the title

	Table     Table
	Synthetic []Picture // grid of synthetic images with the captions they were drawn from
	Unseen    []Example // real test images with our captions
	Failures  []Example // those with the lowest scores
	FailNote  string
	Space     Space       // where features lie, in two dimensions
	Cosines   []Histogram // on one scale
	Weights   []Weighing  // over the memory, of test images; on one scale
	WeighNote string
	Grids     []Grid  // differences, published rows, what is left open: tables of texts
	Curves    []Chart // training loss, refinement loss, R@1 before and after
	Stages    []Stage
	Choices   []Choice // the card of choices, as config.Recipe.Keys and Origin tell them
	Remarks   []string // paragraphs at the end: limits, what was odd
}

// Fact is a labelled value: "machine", "2 × AVX-512 cores".
type Fact struct{ Name, Value string }

// Table is rows by metrics. The first metric is the headline: its values are drawn as points with their intervals.
type Table struct {
	Metrics []Metric
	Rows    []Row
	Note    string // how intervals were made, how many images and seeds
}

// Metric is a column.
type Metric struct {
	Name     string // as in the field: CIDEr-D, BLEU-4
	Decimals int    // digits after the point
	Lower    bool   // lower is better
}

// Row is a method or an ablation of it. Cells stand in the order of Metrics; a missing cell is nil.
type Row struct {
	Name  string
	Note  string // small print below the name
	Cells []*Cell
}

// Cell is a score: the mean over seeds, its 95 % interval (equal bounds: none known), and each seed's score (may be empty).
type Cell struct {
	Value, Low, High float64
	Seeds            []float64
}

// Picture is an encoded image (PNG, JPEG, GIF or WebP) with its caption.
type Picture struct {
	Image   []byte
	Caption string
	Note    string // small print: detector's finding, similarity, seed
}

// Example is a test image and what the model made of it.
type Example struct {
	Image      []byte // PNG, JPEG, GIF or WebP
	Caption    string // ours
	References []string
	Memory     []Neighbour // texts of the memory that weighed most in the projection, heaviest first
	Boxes      []Box
	Note       string // such as the caption's own score
}

// Neighbour is a memory text with its weight in the blend, 0 to 1.
type Neighbour struct {
	Text   string
	Weight float64
}

// Box is a detection in pixels of the image, X to the right, Y down.
type Box struct {
	X0, Y0, X1, Y1 float64
	Label          string
	Score          float64 // confidence, 0 to 1
}

// Grid is a table of texts. Columns from the second on whose cells are numbers stand to the right; Rows may be shorter than Head.
type Grid struct {
	Title, Note string
	Warning     string // above the table, in a frame
	Late        bool   // after the curves
	Fold        string // what a reader clicks on to see it; empty: it is seen
	Head        []string
	Rows        [][]string
}

// Chart is a set of curves over a common axis. Values that are not finite are gaps.
type Chart struct {
	Title, XLabel, YLabel string
	LogX, LogY            bool // needs positive values; others are gaps
	Series                []Series
	Note                  string
}

// Series is one curve; X ascends and is as long as Y.
type Series struct {
	Name      string
	X, Y      []float64
	Low, High []float64 // an interval at each X, drawn as a band; or nil
}

// Stage is a step of the run and what it took.
type Stage struct {
	Name    string
	Items   int
	Seconds float64 // spent to make it, whenever that was
	Bytes   int64
	Kept    bool // found finished from an earlier run
}

// Choice is a key of the recipe.
type Choice struct{ Key, Value, From, Meaning string }

// Space is clouds of features in a plane, in panels on one scale.
type Space struct {
	XLabel, YLabel string
	Panels         []Panel
	Note           string
}

// Panel is some of the clouds.
type Panel struct {
	Title, Note string
	Clouds      []Cloud
}

// Cloud is points of one kind. A name has one colour in all panels, the first six names one each.
type Cloud struct {
	Name   string
	Points [][2]float64 // x to the right, y up
	Mean   [2]float64
}

// Histogram is how values spread, with their mean; Others, or nil, are values to hold them against, drawn as a line.
type Histogram struct {
	Title          string
	Of             string // the cloud in Space whose colour it has
	Values, Others []float64
	Note           string
}

// Weighing is how a projection spread its weight over the memory.
type Weighing struct {
	Image     []byte    // PNG, JPEG, GIF or WebP
	Title     string    // such as the image's caption
	First     []float64 // the largest weights, falling
	Rest      float64   // the sum of all others
	Effective float64   // number of rows
	Rows      int       // of the memory
}
