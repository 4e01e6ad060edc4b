package realrun

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"time"

	"flyball/internal/mail"
	"flyball/internal/replies"
)

// client is the client's side of SMTP over one connection. It judges replies by
// their first digit, so codes that it does not have a name for count as well, and
// refusals by the reply table too.
type client struct {
	net.Conn
	in    *bufio.Reader
	out   *textproto.Writer
	table replies.Table // of the destination; nil: none
	text  []byte        // of the last reply, its lines joined by spaces, if there is a table
}

func newClient(conn net.Conn, table replies.Table) *client {
	return &client{Conn: conn, in: bufio.NewReader(conn), out: textproto.NewWriter(bufio.NewWriter(conn)), table: table}
}

// errGarbled is a reply that is not in the form of RFC 5321 4.2.
var errGarbled = errors.New("reply is not in the form of RFC 5321 4.2")

// command sends a command and waits for its reply, for at most patience in all.
// It returns nil if the first digit of the reply is want, else the reply that ends
// the attempt at stage.
func (c *client) command(stage mail.Stage, want uint16, patience time.Duration, format string,
	args ...any) *mail.Reply {
	c.SetDeadline(time.Now().Add(patience))
	if err := c.out.PrintfLine(format, args...); err != nil {
		return failed(stage, err)
	}
	return c.await(stage, want, patience)
}

// await waits for a reply, for at most patience; see command.
func (c *client) await(stage mail.Stage, want uint16, patience time.Duration) *mail.Reply {
	c.SetDeadline(time.Now().Add(patience))
	code, err := c.reply()
	switch {
	case err != nil:
		return failed(stage, err)
	case code/100 == want:
		return nil
	case code/100 == 4, code/100 == 5:
		return &mail.Reply{Stage: stage, Code: code, Row: c.table.Match(stage, int(code), string(c.text))}
	}
	return failed(stage, errGarbled)
}

// reply reads a reply to the end of its last line, all of whose lines have the
// same code (RFC 5321 4.2.1), and returns the code: 200 to 599.
func (c *client) reply() (code uint16, err error) {
	c.text = c.text[:0]
	for {
		line, err := c.in.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			return 0, errGarbled
		}
		if err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) < 3 || line[0] < '2' || line[0] > '5' || !digit(line[1]) || !digit(line[2]) {
			return 0, errGarbled
		}
		this := 100*uint16(line[0]-'0') + 10*uint16(line[1]-'0') + uint16(line[2]-'0')
		if code != 0 && this != code {
			return 0, errGarbled
		}
		code = this
		if len(c.table) > 0 && len(line) > 4 {
			c.text = append(append(c.text, line[4:]...), ' ')
		}
		switch {
		case len(line) == 3, line[3] == ' ': // RFC 5321 4.2: a reply without text is to be accepted
			return code, nil
		case line[3] != '-':
			return 0, errGarbled
		}
	}
}

func digit(b byte) bool { return '0' <= b && b <= '9' }

// failed returns the end of an attempt whose reply could not be read.
func failed(stage mail.Stage, err error) *mail.Reply {
	if errors.Is(err, errGarbled) {
		return &mail.Reply{Stage: stage, Fault: mail.Garbled}
	}
	return &mail.Reply{Stage: stage, Fault: fault(err)}
}

// fault returns Timeout for a time-out, and Drop for a lost connection.
func fault(err error) mail.Fault {
	var n net.Error
	if errors.As(err, &n) && n.Timeout() {
		return mail.Timeout
	}
	return mail.Drop
}

// leave sends QUIT and closes without waiting for the reply.
func (c *client) leave() {
	c.SetDeadline(time.Now().Add(time.Second))
	fmt.Fprint(c.Conn, "QUIT\r\n")
	c.Close()
}
