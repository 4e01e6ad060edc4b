package wire

import "bytes"

// block is the size from which on a part of a message is sent, while more is to come.
const block = 32 << 10

// stuffed appends a message to out as DATA carries it, and calls flush when out is full, which
// empties it. A dot that begins a line is doubled (RFC 5321 4.5.2), each line ends with CRLF,
// the last one too, and so does what a carriage return or a line feed alone ends: no receiver
// sees the end of the message in its middle. The final dot is not appended.
func stuffed(out, message []byte, flush func([]byte) ([]byte, error)) ([]byte, error) {
	for len(message) > 0 {
		if len(out) >= block {
			var err error
			if out, err = flush(out); err != nil {
				return out, err
			}
		}
		line, rest := message, []byte(nil)
		if n := bytes.IndexByte(message, '\n'); n >= 0 {
			line, rest = message[:n], message[n+1:]
			if n > 0 && line[n-1] == '\r' {
				line = line[:n-1]
			}
		}
		for {
			if len(line) > 0 && line[0] == '.' {
				out = append(out, '.')
			}
			part, more, found := bytes.Cut(line, []byte("\r"))
			out = append(append(out, part...), '\r', '\n')
			if !found {
				break
			}
			line = more
		}
		message = rest
	}
	return out, nil
}
