package browsertest

import (
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/stretchr/testify/require"
)

// A screen is what a page is looked at on.
type screen struct {
	name          string
	width, height int64
	scheme        string
	font          int64 // the person's own size of text, in pixels
	touch         bool
	layout        bool // whether it differs from the others in nothing but where things are
}

// Reflow at 320 pixels, which is 400 % of zoom on a screen of 1280, and text of 200 %, are what WCAG 2.2
// asks for in 1.4.10 and 1.4.4.
var screens = []screen{
	{"light", 1280, 900, "light", 16, false, false},
	{"dark", 1280, 900, "dark", 16, false, false},
	{"phone", 360, 740, "light", 16, true, false},
	{"zoom of 400 %", 320, 256, "light", 16, false, true},
	{"text of 200 %", 1280, 900, "light", 32, false, true},
	{"text of 200 % on a tablet", 768, 1024, "light", 32, true, true},
}

func (b *tab) on(s screen) {
	b.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: s.width, Height: s.height, DeviceScaleFactor: 1, Mobile: s.touch})
	b.prefers("prefers-color-scheme", s.scheme)
	call(b, page.SetFontSizes, page.SetFontSizesParams{FontSizes: &page.FontSizes{Standard: s.font, Fixed: s.font * 13 / 16}})
	b.until("the screen", `innerWidth === `+strconv.FormatInt(s.width, 10)+` && getComputedStyle(document.documentElement).fontSize === "`+strconv.FormatInt(s.font, 10)+`px" &&
		matchMedia("(prefers-color-scheme: `+s.scheme+`)").matches`)
}

// look walks through all pages, looks at each on every screen, and asserts that nothing was found.
func look(t *testing.T, at func(b *tab, s screen) []string) {
	b := open(t, newSite(t))
	var found []string
	b.walk(func(state string) {
		for _, s := range screens {
			b.on(s)
			for _, what := range at(b, s) {
				found = append(found, state+", "+s.name+": "+what)
			}
		}
		b.on(screens[0])
	})
	require.Empty(t, found, strings.Join(found, "\n"))
}

// TestAccessible runs axe-core on every page in each of its states, light and dark, large and small.
func TestAccessible(t *testing.T) {
	t.Parallel()
	script := axe(t)
	look(t, func(b *tab, s screen) []string {
		if s.layout {
			return nil
		}
		return b.findings(script)
	})
}

// TestFits finds nothing cut off, nothing to scroll sideways to, and nothing too small to press.
func TestFits(t *testing.T) {
	t.Parallel()
	look(t, func(b *tab, s screen) []string {
		found := eval[[]string](b, cut)
		if width := eval[int64](b, `document.scrollingElement.scrollWidth`); width > s.width {
			found = append(found, "the page is wider than the screen")
		}
		if s.touch {
			found = append(found, eval[[]string](b, small)...)
		}
		return found
	})
}

// cut lists the elements whose content is not all to be seen, but for what is for screen readers alone.
const cut = `Array.from(document.body.querySelectorAll("*")).filter((e) => {
	if (e.closest(".away, thead, .skip, textarea, input")) return false;
	const r = e.getBoundingClientRect();
	return r.width > 0 && (r.right > innerWidth + 1 || r.left < -1 || (getComputedStyle(e).overflow !== "visible" && e.scrollWidth > e.clientWidth + 1));
}).map((e) => e.outerHTML.slice(0, 80))`

// small lists what is pressed and is less than 24 pixels high or wide, the least that WCAG 2.2 asks for
// in 2.5.8, but for links in the middle of a text.
const small = `Array.from(document.body.querySelectorAll("a, button, input, textarea, label.choice")).filter((e) => {
	if (e.closest(".skip") || e.closest("label.choice") !== null && e.tagName === "INPUT" || e.type === "hidden" || e.hidden) return false;
	if (e.tagName === "A" && getComputedStyle(e).display === "inline" && e.parentElement.innerText.trim() !== e.innerText.trim()) return false;
	const r = e.getBoundingClientRect();
	return r.height < 24 || r.width < 24;
}).map((e) => e.outerHTML.slice(0, 80) + " " + e.getBoundingClientRect().height)`
