package task

import (
	"cmp"
	"fmt"
	"slices"

	"flyball/realrun/message"
	"flyball/reports/folder"
)

// archived returns the masters of a letter as files of a run folder, each by its digest.
func archived(masters []message.Master) (files []folder.File) {
	for i, m := range masters {
		if !slices.ContainsFunc(masters[:i], func(of message.Master) bool { return of.Digest == m.Digest }) {
			files = append(files, folder.File{Path: "masters/" + m.Digest + ".eml", Data: m.Message})
		}
	}
	return files
}

// masterWords names the masters of a letter in lines of text.
func masterWords(masters []message.Master) (lines []string) {
	for _, m := range masters {
		lines = append(lines, fmt.Sprintf("Letter: the master for %s has %d bytes, SHA-256 %s",
			cmp.Or(m.Network, "all"), len(m.Message), m.Digest))
	}
	return lines
}
