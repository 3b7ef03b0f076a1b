package main

import (
	"bytes"
	"fmt"
	"regexp"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgsvg"
)

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
