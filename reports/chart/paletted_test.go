package chart

import (
	"image"
	"image/color"
	"testing"
)

// apart returns the greatest difference of a channel between two opaque colours.
func apart(a, b color.Color) int {
	p, q := color.RGBAModel.Convert(a).(color.RGBA), color.RGBAModel.Convert(b).(color.RGBA)
	most := 0
	for _, d := range []int{int(p.R) - int(q.R), int(p.G) - int(q.G), int(p.B) - int(q.B), int(p.A) - int(q.A)} {
		most = max(most, d, -d)
	}
	return most
}

// An image with few colours keeps each, one with more changes the low bits. One with all
// shades of all inks on white, more than any figure has, keeps those inks and the white.
func TestPaletted(t *testing.T) {
	few := image.NewRGBA(image.Rect(0, 0, 64, 5))
	for i := range 256 {
		few.SetRGBA(i%64, i/64, color.RGBA{uint8(i), uint8(i / 2), 7, 255})
	}
	for i := range 64 {
		few.SetRGBA(i, 4, color.RGBA{1, 0, 7, 255})
	}
	many := image.NewRGBA(few.Rect)
	copy(many.Pix, few.Pix)
	many.SetRGBA(63, 4, color.RGBA{0, 0, 6, 255})
	edges := image.NewRGBA(image.Rect(0, 0, 20+255+20, len(Palette())))
	for y, ink := range Palette() {
		for x := range edges.Rect.Dx() {
			share := min(max(0, 275-x), 255) // of white
			mix := func(v uint8) uint8 { return uint8((share*255 + (255-share)*int(v)) / 255) }
			edges.SetRGBA(x, y, color.RGBA{mix(ink.R), mix(ink.G), mix(ink.B), 255})
		}
	}
	for name, v := range map[string]struct {
		from *image.RGBA
		most int
	}{"256 colours": {few, 0}, "257 colours": {many, 1}, "edges": {edges, 15}} {
		got := paletted(v.from)
		if len(got.Palette) > 256 || got.Rect != v.from.Rect {
			t.Fatalf("%s: %d colours in %v", name, len(got.Palette), got.Rect)
		}
		for y := range v.from.Rect.Dy() {
			for x := range v.from.Rect.Dx() {
				was, is := v.from.At(x, y), got.At(x, y)
				allowed := v.most
				if x <= 20 && v.from == edges || x >= 275 {
					allowed = 0 // white, or the ink alone: both are frequent
				}
				if d := apart(was, is); d > allowed {
					t.Fatalf("%s: pixel %d,%d is %v, was %v: %d apart, want at most %d", name, x, y, is, was, d,
						allowed)
				}
			}
		}
	}
}
