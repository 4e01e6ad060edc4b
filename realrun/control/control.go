// Package control lets another process of the same user ask a live run how far it is, and pause, resume or end it. The
// run listens at a socket in the folder of its mailing. A request is a line, and so is its answer, in JSON.
package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"flyball/realrun/dial"
)

const (
	socket = "control"
	most   = 1 << 20          // bytes of a line
	wait   = 10 * time.Second // for a line
)

// ErrNone reports that no run uses a folder.
var ErrNone = errors.New("no run is under way")

// Answer is what a run answers: a value, or an error.
type Answer struct {
	Value json.RawMessage `json:"value,omitempty"`
	Error string          `json:"error,omitempty"`
}

// Server answers requests until Close.
type Server struct {
	listener net.Listener
	answers  sync.WaitGroup
	lock     sync.Mutex
	open     map[net.Conn]bool // nil: closed
}

// Listen answers requests in a folder by answer, which is called by one goroutine for each request. Only the run that
// has locked the folder may call it: a socket that is there is one that a stopped run left.
func Listen(dir string, answer func(request string) (any, error)) (*Server, error) {
	name, release, err := short(dir)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, socket), err)
	}
	l, err := net.Listen("unix", name)
	if err != nil {
		return nil, err
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // its name does not last
	s := &Server{listener: l, open: map[net.Conn]bool{}}
	s.answers.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.lock.Lock()
			if s.open == nil {
				conn.Close()
			} else {
				s.open[conn] = true
				s.answers.Go(func() { s.serve(conn, answer) })
			}
			s.lock.Unlock()
		}
	})
	return s, nil
}

func (s *Server) serve(conn net.Conn, answer func(string) (any, error)) {
	defer func() {
		s.lock.Lock()
		delete(s.open, conn)
		s.lock.Unlock()
		conn.Close()
	}()
	conn.SetDeadline(time.Now().Add(wait))
	lines := bufio.NewScanner(conn)
	if !lines.Scan() {
		return
	}
	var a Answer
	value, err := answer(lines.Text())
	if err == nil {
		a.Value, err = json.Marshal(value)
	}
	if err != nil {
		a.Error = err.Error()
	}
	json.NewEncoder(conn).Encode(a) // who asked may be gone
}

// Close ends the server.
func (s *Server) Close() {
	s.listener.Close()
	s.lock.Lock()
	for conn := range s.open {
		conn.Close()
	}
	s.open = nil
	s.lock.Unlock()
	s.answers.Wait()
}

// Ask sends a request to the run that uses a folder, and stores its answer in value, if that is not nil. The error is
// ErrNone if there is no such run.
func Ask(dir, request string, value any) error {
	name, release, err := short(dir)
	if err != nil {
		return err
	}
	defer release()
	conn, err := dial.Local(name)
	if err != nil {
		return ErrNone
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(wait))
	if _, err := fmt.Fprintln(conn, request); err != nil {
		return err
	}
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, most)
	if !lines.Scan() {
		return ErrNone // it ends
	}
	var a Answer
	if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
		return err
	}
	if a.Error != "" {
		return errors.New(a.Error)
	}
	if value == nil {
		return nil
	}
	return json.Unmarshal(a.Value, value)
}
