package report

import (
	"strconv"
	"strings"
)

// svgPoints bounds a curve of the drawing that is in the page itself; more could not be told apart on paper.
const svgPoints = 200

// plot is a chart as inline SVG, in percent of the drawing area so that text keeps its size at every width. It is what
// prints, and what is shown without JavaScript.
type plot struct {
	Shapes []shape
	Y, X   []mark
	Limit  *mark
	Peak   *point
	Events []mark
}

// shape is a path in a 1000 by 1000 square.
type shape struct{ Class, D string }

// mark is a labelled position in percent from the left or the top. Anchor is an SVG text-anchor.
type mark struct{ At, Label, Anchor string }

// point is a labelled spot.
type point struct{ X, Y, LabelX, LabelY, Label, Anchor string }

// newPlot draws one run of a chart. length is the time axis in seconds.
func newPlot(k chartKind, d drawn, a axis, length, limit float64, events []event) plot {
	p := plot{Shapes: shapes(k, d, a, length)}
	for _, t := range a.Ticks {
		p.Y = append(p.Y, mark{At: percent(1 - a.height(t.At)), Label: t.Label})
	}
	for i, t := range timeTicks(length) {
		m := mark{At: percent(t.At / length), Label: t.Label, Anchor: "middle"}
		switch {
		case i == 0:
			m.Anchor = "start"
		case t.At/length > 0.96:
			m.Anchor = "end"
		}
		p.X = append(p.X, m)
	}
	if limit > 0 {
		p.Limit = &mark{At: percent(1 - a.height(limit)), Label: "limit " + quantity(limit, k.unit)}
	}
	if t, v, ok := d[0].peak(); ok && k.upper && k.wide {
		p.Peak = spot(t/length, 1-a.height(v), quantity(v, k.unit))
	}
	for _, e := range events {
		if e.At >= 0 && e.At <= length {
			m := mark{At: percent(e.At / length), Label: e.Label, Anchor: "start"}
			if e.At/length > 0.8 {
				m.Anchor = "end"
			}
			p.Events = append(p.Events, m)
		}
	}
	return p
}

// spot places the label of a peak beside it, on the side where there is room.
func spot(x, y float64, label string) *point {
	p := &point{X: percent(x), Y: percent(y), Label: label, Anchor: "start", LabelX: percent(x + 0.012), LabelY: percent(y - 0.04)}
	if x > 0.8 {
		p.Anchor, p.LabelX = "end", percent(x-0.012)
	}
	if y < 0.12 {
		p.LabelY = percent(y + 0.03)
	}
	return p
}

// shapes are the bands first, then the lines, the submission's on top.
func shapes(k chartKind, d drawn, a axis, length float64) []shape {
	var bands, lines []shape
	for i := len(d) - 1; i >= 0; i-- {
		if d[i] == nil {
			continue
		}
		c := d[i].thin(svgPoints)
		if k.band && k.lines[i].Class != "own2" {
			bands = append(bands, shape{"band " + k.lines[i].Class, bandPath(c, a, length)})
		}
		lines = append(lines, shape{"line " + k.lines[i].Class, linePath(c, a, length, k.upper)})
	}
	return append(bands, lines...)
}

func linePath(c *curve, a axis, length float64, upper bool) string {
	var b strings.Builder
	for i, t := range c.T {
		v := c.Hi[i]
		if !upper {
			v = (c.Lo[i] + c.Hi[i]) / 2
		}
		step(&b, i == 0, t/length, a.height(v))
	}
	if len(c.T) == 1 { // a line needs two points to be seen
		b.WriteString("h4")
	}
	return b.String()
}

func bandPath(c *curve, a axis, length float64) string {
	var b strings.Builder
	for i, t := range c.T {
		step(&b, i == 0, t/length, a.height(c.Hi[i]))
	}
	for i := len(c.T) - 1; i >= 0; i-- {
		step(&b, false, c.T[i]/length, a.height(c.Lo[i]))
	}
	b.WriteByte('Z')
	return b.String()
}

// step writes one move or line to a point given as shares of width and height.
func step(b *strings.Builder, first bool, x, height float64) {
	if first {
		b.WriteByte('M')
	} else {
		b.WriteByte('L')
	}
	b.WriteString(thousandths(x))
	b.WriteByte(' ')
	b.WriteString(thousandths(1 - height))
}

func thousandths(share float64) string { return strconv.FormatFloat(share*1000, 'f', 0, 64) }

func percent(share float64) string { return strconv.FormatFloat(share*100, 'f', 2, 64) + "%" }
