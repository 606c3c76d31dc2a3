// Package report writes report.html: one file without outside references that shows a run to a person.
//
//   - data.go: Data, what the pipeline fills in
//   - render.go: Render; the view that the template sees
//   - chart.go: curves and intervals as inline SVG; export.go: charts as files, tables as Markdown
//   - figures.go: clouds of features, histograms and weights as inline SVG
//   - report.html.tmpl, theme.css, chart.css, report.css: the page
package report
