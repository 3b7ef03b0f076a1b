package browsertest

import (
	"bytes"
	"flag"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "take the screenshots of docs anew")

// maxShot is how large a screenshot may be in bytes, so that reading about latchkey takes no patience.
const maxShot = 150 << 10

// A shot is a screenshot in docs.
type shot struct {
	file          string
	scheme        string
	width, height int64 // in CSS pixels
	scale         float64
}

var shots = []shot{
	{"settings-light.png", "light", 1180, 840, 1.5},
	{"settings-dark.png", "dark", 1180, 840, 1.5},
	{"settings-phone.png", "light", 360, 780, 2},
	{"settings-token.png", "light", 1180, 980, 1.5},
}

// TestScreenshots shows the pages as they are in docs. With -update it takes the pictures.
func TestScreenshots(t *testing.T) {
	if *update {
		take(t)
	}
	for _, s := range shots {
		text, err := os.ReadFile("../../docs/" + s.file)
		require.NoError(t, err)
		require.LessOrEqual(t, len(text), maxShot, s.file)
		c, err := png.DecodeConfig(bytes.NewReader(text))
		require.NoError(t, err)
		require.Equal(t, int(float64(s.width)*s.scale), c.Width, s.file)
		require.Equal(t, int(float64(s.height)*s.scale), c.Height, s.file)
	}
}

func take(t *testing.T) {
	s := siteOf(t, "siti@agency.gov.sg")
	s.history(t)
	b := open(t, s)
	b.signIn()
	for _, shot := range shots[:3] {
		b.shoot(shot)
	}
	b.generate("HR reminders", "hr@agency.gov.sg\nsiti@agency.gov.sg")
	b.shoot(shots[3])
}

func (b *tab) shoot(s shot) {
	b.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: s.width, Height: s.height, DeviceScaleFactor: s.scale})
	b.prefers("prefers-color-scheme", s.scheme)
	r := call(b, page.CaptureScreenshot, page.CaptureScreenshotParams{})
	picture, err := png.Decode(bytes.NewReader(r.Data))
	require.NoError(b, err)
	var text bytes.Buffer
	require.NoError(b, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&text, fewer(picture)))
	require.NoError(b, os.WriteFile("../../docs/"+s.file, text.Bytes(), 0o644))
}

// fewer returns the picture in its 256 most frequent colours, which are all but shades along the edges of
// letters: it takes a third of the room.
func fewer(picture image.Image) image.Image {
	counts := make(map[color.Color]int)
	r := picture.Bounds()
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			counts[picture.At(x, y)]++
		}
	}
	colours := slices.SortedFunc(maps.Keys(counts), func(a, b color.Color) int { return counts[b] - counts[a] })
	p := image.NewPaletted(r, colours[:min(len(colours), 256)])
	draw.Draw(p, r, picture, r.Min, draw.Src)
	return p
}
