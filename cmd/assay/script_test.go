package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	if os.Getenv(serverEnv) != "" { // see TestServeIsKilled
		os.Exit(scriptedServer())
	}
	if len(os.Args) > 1 && os.Args[1] == "bench" { // a bench starts itself as worker and as server
		os.Exit(run(context.Background(), os.Args[1:], os.LookupEnv, stdio{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
	}
	testscript.Main(m, map[string]func(){
		"assay": func() {
			os.Exit(run(context.Background(), os.Args[1:], os.LookupEnv, stdio{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
		},
	})
}

// TestScripts drives the command line as a person does; each script says what it is about.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("ASSAY_CACHE", env.WorkDir+"/.cache")
			env.Setenv("ASSAY_STATE", env.WorkDir+"/.state")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits runs assay and checks its exit code: exits CODE ARGS…
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE ARGS…")
	}
	err := ts.Exec("assay", args[1:]...)
	got := "0"
	if err != nil {
		got = "other: " + err.Error()
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			got = strconv.Itoa(exit.ExitCode())
		}
	}
	if got != args[0] {
		ts.Fatalf("assay %v: exit code %s, not %s", args[1:], got, args[0])
	}
}
