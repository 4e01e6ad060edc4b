package chart

import (
	"cmp"
	"encoding/binary"
	"image"
	"image/color"
	"iter"
	"maps"
	"slices"
)

// mostShades is the number of colours that the palette of a PNG can have.
const mostShades = 256

// shade is a colour of a pixel: red in the highest byte, alpha in the lowest.
type shade uint32

// paletted returns an opaque image with a palette: PNG encodes one in a fraction of the time,
// and in less room. The edges of shapes and letters have more shades than a palette
// holds, so shades that hardly differ become the most frequent of them: the colour that
// fills a shape stays exact.
func paletted(img *image.RGBA) *image.Paletted {
	counts := map[shade]int{}
	for s, n := range runs(img) {
		counts[s] += n
	}
	palette, index := paletteOf(counts)
	out := image.NewPaletted(img.Rect, palette)
	pixels := out.Pix
	for s, n := range runs(img) {
		at := index[s]
		for i := range pixels[:n] {
			pixels[i] = at
		}
		pixels = pixels[n:]
	}
	return out
}

// runs yields the colours of an image row by row, each with the number of pixels that have it
// in sequence.
func runs(img *image.RGBA) iter.Seq2[shade, int] {
	return func(yield func(shade, int) bool) {
		for y := range img.Rect.Dy() {
			row := img.Pix[y*img.Stride:][:4*img.Rect.Dx()]
			for len(row) > 0 {
				s, n := binary.BigEndian.Uint32(row), 1
				for 4*n < len(row) && binary.BigEndian.Uint32(row[4*n:]) == s {
					n++
				}
				if !yield(shade(s), n) {
					return
				}
				row = row[4*n:]
			}
		}
	}
}

// paletteOf returns at most mostShades colours, and which of them each shade becomes. It
// ignores as few of the low bits of each channel as it can.
func paletteOf(counts map[shade]int) (palette color.Palette, index map[shade]uint8) {
	frequent := slices.SortedFunc(maps.Keys(counts), func(a, b shade) int {
		return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b))
	})
	index = make(map[shade]uint8, len(counts))
	for ignored := 0; ; ignored++ {
		high := ^shade((1<<ignored - 1) * 0x01010101)
		alike := map[shade]uint8{}
		palette = palette[:0]
		for _, s := range frequent {
			at, ok := alike[s&high]
			if !ok {
				at = uint8(len(alike))
				alike[s&high] = at
				palette = append(palette, color.RGBA{uint8(s >> 24), uint8(s >> 16), uint8(s >> 8), uint8(s)})
			}
			index[s] = at
		}
		if len(alike) <= mostShades {
			return palette, index
		}
	}
}
