// Package tabular writes tables for terminals: columns of plain text under a
// head and a rule. Cells may hold ANSI colours.
package tabular

import (
	"io"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// Write writes the rows to w below head. Columns for which toLeft returns true are
// aligned to the left, the others, such as numbers, to the right. No line ends in
// a blank.
func Write(w io.Writer, head []string, rows [][]string, toLeft func(column int) bool) error {
	align := make([]tw.Align, len(head))
	for i := range align {
		align[i] = tw.AlignRight
		if toLeft(i) {
			align[i] = tw.AlignLeft
		}
	}
	cell := tw.CellConfig{
		Formatting: tw.CellFormatting{AutoFormat: tw.Off, AutoWrap: tw.WrapNone},
		Alignment:  tw.CellAlignment{PerColumn: align},
		Padding:    tw.CellPadding{Global: tw.Padding{Right: " ", Overwrite: true}},
	}
	var b strings.Builder
	out := tablewriter.NewTable(&b,
		tablewriter.WithConfig(tablewriter.Config{Header: cell, Row: cell}),
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
			Borders:  tw.BorderNone,
			Symbols:  tw.NewSymbolCustom("rule").WithColumn(" ").WithCenter("-").WithRow("-"),
			Settings: tw.Settings{Separators: tw.Separators{BetweenRows: tw.Off}},
		})))
	out.Header(head)
	for _, row := range rows {
		if err := out.Append(row); err != nil {
			return err
		}
	}
	if err := out.Render(); err != nil {
		return err
	}
	for line := range strings.Lines(b.String()) {
		if _, err := io.WriteString(w, strings.TrimRight(line, " \n")+"\n"); err != nil {
			return err
		}
	}
	return nil
}
