package logaggregate

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/assay-run/assay/graders/loggen"
)

// submissionMode is the variable that turns the test binary into a submission, so that driving one needs nothing else.
const submissionMode = "ASSAY_TEST_SUBMISSION"

func TestMain(m *testing.M) {
	if mode := os.Getenv(submissionMode); mode != "" {
		os.Exit(submission(mode, os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}

// submission is a program that keeps the contract, or breaks it in the way that mode names.
func submission(mode string, args []string) int {
	flags := flag.NewFlagSet("submission", flag.ContinueOnError)
	input, out := flags.String("input", "", ""), flags.String("out", "", "")
	if err := flags.Parse(args); err != nil {
		return 64
	}
	var taken atomic.Int64
	if mode != "mute" {
		go func() {
			_ = http.ListenAndServe(net.JoinHostPort("127.0.0.1", os.Getenv("STATUS_PORT")), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				n := taken.Load()
				if mode == "backwards" {
					n = 1<<40 - taken.Add(1)
				}
				fmt.Fprintf(w, `{"bytes":%d,"lines":%d}`, n, n/100)
			}))
		}()
	}
	switch mode {
	case "crash":
		fmt.Fprintln(os.Stderr, "TypeError: nothing works")
		return 1
	case "hang":
		select {}
	}
	// Long enough for some beats, whatever the machine is doing.
	if mode != "quick" {
		time.Sleep(400 * time.Millisecond)
	}
	truth, err := summarise(*input, &taken)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, gzip.ErrChecksum):
		return loggen.ExitDamaged
	case err != nil:
		fmt.Fprintln(os.Stderr, "Error:", err)
		return 1
	}
	if mode == "wrong" {
		truth.Lines++
	}
	text, err := json.Marshal(truth)
	if err == nil {
		err = os.WriteFile(*out, text, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		return 1
	}
	return 0
}

func summarise(path string, taken *atomic.Int64) (loggen.Truth, error) {
	f, err := os.Open(path)
	if err != nil {
		return loggen.Truth{}, err
	}
	defer f.Close()
	in := io.Reader(io.TeeReader(f, counter{taken}))
	if strings.HasSuffix(path, ".gz") {
		if in, err = gzip.NewReader(in); err != nil {
			return loggen.Truth{}, err
		}
	}
	return loggen.Oracle(context.Background(), in)
}

type counter struct{ n *atomic.Int64 }

func (c counter) Write(b []byte) (int, error) {
	c.n.Add(int64(len(b)))
	return len(b), nil
}
