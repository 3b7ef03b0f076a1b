package main

import (
	"bytes"
	"cmp"
	"fmt"
	"image/color"
	"math"
	"regexp"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Colours that also differ in brightness, for whoever sees them alike.
var colours = map[origin]color.Color{
	originFloor:     color.RGBA{0x9a, 0x9a, 0x9a, 0xff},
	originOurs:      color.RGBA{0x12, 0x4f, 0x8c, 0xff},
	originModule:    color.RGBA{0xe0, 0x8a, 0x1e, 0xff},
	originRecreated: color.RGBA{0xf0, 0xc9, 0x87, 0xff},
}

// chart returns an SVG of what a verification took by every subject, the fastest one on top, on a
// logarithmic scale and a white ground.
func (r *report) chart() ([]byte, error) {
	bars := slices.Clone(r.subjects)
	slices.SortStableFunc(bars, func(a, b compared) int { return cmp.Compare(b.time.median, a.time.median) })

	p := plot.New()
	p.BackgroundColor = color.White
	p.Title.Text = "Time of one verification (shorter is better; each step is ten times as long)"
	p.Title.TextStyle.Font = sans(12)
	p.Title.Padding = vg.Points(6)
	lowest := math.Floor(math.Log10(bars[len(bars)-1].time.median))
	p.X.Min, p.X.Max = 0, math.Ceil(math.Log10(bars[0].time.median))-lowest+0.3
	p.X.Tick.Marker = decades{lowest}
	p.Y.Tick.Length = 0
	p.Y.LineStyle.Width = 0
	grid := plotter.NewGrid()
	grid.Horizontal.Width = 0
	p.Add(grid)

	names := make([]string, len(bars))
	labels := plotter.XYLabels{XYs: make(plotter.XYs, len(bars)), Labels: make([]string, len(bars))}
	for i, s := range bars {
		names[i] = s.name + ", " + s.where
		labels.Labels[i] = " " + duration(s.time.median)
		labels.XYs[i] = plotter.XY{X: math.Log10(s.time.median) - lowest, Y: float64(i)}
	}
	const thickness = 9
	for _, o := range []origin{originFloor, originOurs, originModule, originRecreated} {
		values := make(plotter.Values, len(bars))
		for i, s := range bars {
			if s.origin == o {
				values[i] = labels.XYs[i].X
			}
		}
		chart, err := plotter.NewBarChart(values, vg.Points(thickness))
		if err != nil {
			return nil, err
		}
		chart.Horizontal = true
		chart.Color = colours[o]
		chart.LineStyle.Width = 0
		p.Add(chart)
		p.Legend.Add(o.String(), chart)
	}
	times, err := plotter.NewLabels(labels)
	if err != nil {
		return nil, err
	}
	for i := range times.TextStyle {
		times.TextStyle[i].Font = sans(8)
		times.TextStyle[i].YAlign = text.YCenter
	}
	p.Add(times)
	p.NominalY(names...)
	p.Y.Tick.Label.Font = sans(9)
	p.X.Tick.Label.Font = sans(9)
	p.Legend.TextStyle.Font = sans(9)
	p.Legend.Top = true

	p.Legend.Padding = vg.Points(4)
	p.Legend.ThumbnailWidth = vg.Points(14)
	p.Legend.XOffs = vg.Points(-4)

	c := newCanvas(vg.Points(760), vg.Points(80+float64(len(bars))*(thickness+4)))
	const margin = 6
	p.Draw(draw.Crop(draw.New(c), margin, -margin, margin, -margin))
	return c.bytes()
}

func sans(points float64) font.Font {
	return font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, vg.Points(points))
}

// decades marks the powers of ten from so many nanoseconds on.
type decades struct{ lowest float64 }

// Ticks implements [plot.Ticker].
func (d decades) Ticks(low, high float64) (ticks []plot.Tick) {
	for x := math.Ceil(low); x <= high; x++ {
		number, unit, _ := strings.Cut(duration(math.Pow(10, d.lowest+x)), " ")
		number, _, _ = strings.Cut(number, ".")
		ticks = append(ticks, plot.Tick{Value: x, Label: number + " " + unit})
	}
	return ticks
}

// A canvas remembers how wide each text is in the font that the chart was laid out with. Few who look at
// it have that one, and text in another would run into the bars.
type canvas struct {
	*vgsvg.Canvas
	widths []vg.Length
}

func newCanvas(width, height vg.Length) *canvas { return &canvas{Canvas: vgsvg.New(width, height)} }

// FillString implements [vg.Canvas].
func (c *canvas) FillString(f font.Face, at vg.Point, text string) {
	c.widths = append(c.widths, f.Width(text))
	c.Canvas.FillString(f, at, text)
}

var (
	textElement = regexp.MustCompile(`<text `)
	fontFamily  = regexp.MustCompile(`font-family:[^;]*;`)
)

// bytes returns the SVG, with every text as wide as it was laid out in whatever font there is.
func (c *canvas) bytes() ([]byte, error) {
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return nil, err
	}
	svg := fontFamily.ReplaceAll(b.Bytes(), []byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif;"))
	n := 0
	svg = textElement.ReplaceAllFunc(svg, func(element []byte) []byte {
		width := c.widths[n]
		n++
		return fmt.Appendf(nil, `%stextLength="%.2f" lengthAdjust="spacingAndGlyphs" `, element, width.Points())
	})
	if n != len(c.widths) {
		return nil, fmt.Errorf("the chart has %d texts and not %d", n, len(c.widths))
	}
	return svg, nil
}
