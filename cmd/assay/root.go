package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/lmittmann/tint"
	"github.com/spf13/cobra"

	"github.com/assay-run/assay/challenges"
)

// version is set by the linker; a plain `go build` takes it from the module.
var version = ""

func assayVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "devel"
}

// stdio is what a process may write to and read from.
type stdio struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// app is what the commands share: settings from flags and environment, and the streams.
type app struct {
	stdio
	env    func(string) (string, bool)
	log    *slog.Logger
	second *secondSignal

	engineName string
	dockerHost string
	cacheDir   string
	cacheLimit string
	cacheBytes int64
	stateDir   string
	node       string
	caBundle   string
	runtime    string
	seccomp    string
	// challengeDirs are folders with challenges beside the built-in ones.
	challengeDirs []string
	// challengesGiven says that they come from --challenges, not from the environment.
	challengesGiven bool
	plain           bool
	verbose         bool
	// grader opens what grades within `assay serve`; nil: this machine's engine does.
	grader func(ctx context.Context, all []*challenges.Challenge, log *slog.Logger) (inProcess, error)
}

// run is the program: it returns the exit code.
func run(parent context.Context, args []string, env func(string) (string, bool), std stdio) int {
	second := &secondSignal{told: make(chan struct{})}
	ctx, stop := withSignals(parent, std.err, second)
	defer stop()
	a := &app{stdio: std, env: env, second: second}
	root := a.command()
	root.SetArgs(args)
	root.SetIn(std.in)
	root.SetOut(std.out)
	root.SetErr(std.err)
	err := root.ExecuteContext(ctx)
	code := exitCode(ctx, err)
	var verdict *verdictError
	switch {
	case err == nil, errors.As(err, &verdict), errors.Is(err, errDone):
	case code == exitInterrupted:
		fmt.Fprintln(std.err, "assay: interrupted; everything that was started has been removed")
	case code == exitInfrastructure:
		if usage := (*usageError)(nil); errors.As(err, &usage) {
			err = usage.err // its hint is for another cause
		}
		fmt.Fprintf(std.err, "assay: %v\n  %s\n", err, a.nextStep(err))
	default:
		fmt.Fprintf(std.err, "assay: %v\n", err)
	}
	return code
}

func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "assay",
		Short: "Grade Node.js submissions under real work",
		Long: `Assay builds a Node.js submission, starts it in containers, puts real work on it,
measures event loop, memory and results from outside, and writes a report.

` + exitTable,
		Example: `  assay doctor                       is this machine ready?
  assay list                         which challenges are there?
  assay show log-aggregate           what does it ask for, and what gives points?
  assay start log-aggregate work     begin one in the folder work
  assay run work --mode quick        practise with the harness of the real thing
  assay run work --out result        grade it, and write the report into the folder result`,
		Version:           assayVersion(),
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		PersistentPreRunE: func(*cobra.Command, []string) error { return a.settle() },
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("unknown command %q", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usagef("See `"+c.CommandPath()+" --help`.", "%w", err)
	})
	flags := root.PersistentFlags()
	flags.StringVar(&a.engineName, "engine", "docker", "where submissions run: docker, or process (practice without a sandbox)")
	flags.StringVar(&a.dockerHost, "docker-host", "", "address of the Docker Engine (default: DOCKER_HOST, else the local socket)")
	flags.StringVar(&a.cacheDir, "cache", "", "folder for generated data sets (default: ASSAY_CACHE, else the user's cache folder)")
	flags.StringVar(&a.cacheLimit, "cache-limit", "30GiB", "largest size of the data sets that are kept")
	flags.StringVar(&a.node, "node", "", "major version of Node: 22, 24 or 26 (default: the challenge's)")
	flags.StringVar(&a.caBundle, "ca-bundle", "", "file of CA certificates for the build step (default: NODE_EXTRA_CA_CERTS)")
	flags.StringVar(&a.runtime, "runtime", "", "OCI runtime of the submissions' containers, as the engine knows it (default: ASSAY_RUNTIME, else the engine's)")
	flags.StringVar(&a.seccomp, "seccomp", "", "seccomp profile in Docker's JSON, in place of our own (default: ASSAY_SECCOMP)")
	flags.StringArrayVar(&a.challengeDirs, "challenges", nil, "folder with challenges of your own, beside the built-in ones; may be given more than once (default: ASSAY_CHALLENGES)")
	flags.BoolVar(&a.plain, "plain", false, "no colours and no moving progress bar")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "log what happens, to standard error")
	root.AddCommand(a.listCommand(), a.showCommand(), a.docsCommand(), a.startCommand(), a.runCommand(), a.reportCommand(), a.validateCommand(), a.challengeCommand(),
		a.serveCommand(), a.doctorCommand(), a.setupCommand(), a.cleanCommand(), a.demoCommand(), a.benchCommand(), a.schemaCommand(), a.codesCommand(),
		a.driverCommand(), a.neighbourCommand(), a.benchLoadCommand(),
		a.workerCommand(), a.submitCommand(), a.seedDemoCommand())
	root.AddCommand(a.helperCommands()...)
	root.AddCommand(a.backupCommand(), a.restoreCommand())
	wrapAll(root)
	return root
}

// wrapAll does for a command and all below it what wrapArgs does.
func wrapAll(c *cobra.Command) {
	wrapArgs(c)
	for _, sub := range c.Commands() {
		wrapAll(sub)
	}
}

// wrapArgs makes a wrong number of arguments a usage error with the next step.
func wrapArgs(c *cobra.Command) {
	check := c.Args
	if check == nil {
		check = cobra.NoArgs
	}
	c.Args = func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usagef("See `"+cmd.CommandPath()+" --help`.", "%w", err)
		}
		return nil
	}
}

// settle completes the settings from the environment; flags win.
func (a *app) settle() error {
	level := slog.LevelWarn
	if a.verbose {
		level = slog.LevelDebug
	}
	_, noColor := a.env("NO_COLOR")
	a.plain = a.plain || noColor
	a.log = slog.New(tint.NewTextHandler(a.err, &tint.Options{Level: level, NoColor: a.plain || !isTerminal(a.err)}))
	if a.engineName != "docker" && a.engineName != "process" {
		return usagef("Use --engine docker or --engine process.", "unknown engine %q", a.engineName)
	}
	var err error
	if a.cacheBytes, err = challenges.ParseSize(a.cacheLimit); err != nil || a.cacheBytes <= 0 {
		return usagef("Give a size like 30GiB.", "--cache-limit %q is no size", a.cacheLimit)
	}
	a.challengesGiven = len(a.challengeDirs) > 0
	if dir, ok := a.env("ASSAY_CHALLENGES"); ok && dir != "" && len(a.challengeDirs) == 0 {
		a.challengeDirs = filepath.SplitList(dir)
	}
	if a.caBundle == "" {
		a.caBundle, _ = a.env("NODE_EXTRA_CA_CERTS")
	}
	if err := a.settleHardening(); err != nil {
		return err
	}
	if a.cacheDir == "" {
		a.cacheDir, _ = a.env("ASSAY_CACHE")
	}
	if a.cacheDir == "" {
		a.cacheDir = a.defaultDir("XDG_CACHE_HOME", ".cache", "/var/cache/assay")
	}
	if a.stateDir, _ = a.env("ASSAY_STATE"); a.stateDir == "" {
		a.stateDir = a.defaultDir("XDG_STATE_HOME", ".local/state", "/var/lib/assay")
	}
	return nil
}

// settleHardening completes what is asked for beyond our own hardening. Where it cannot be had it is not left out silently.
func (a *app) settleHardening() error {
	for _, s := range []struct {
		value    *string
		variable string
	}{{&a.runtime, "ASSAY_RUNTIME"}, {&a.seccomp, "ASSAY_SECCOMP"}} {
		if *s.value == "" {
			*s.value, _ = a.env(s.variable)
		}
	}
	if a.engineName == "process" && a.runtime+a.seccomp != "" {
		return usagef("Leave them out, also ASSAY_RUNTIME and ASSAY_SECCOMP, or use --engine docker.",
			"--runtime and --seccomp are for containers, which --engine process has none of")
	}
	return nil
}

// defaultDir follows the XDG base directories for people, and the system's folders for root: a submission's user must
// be able to reach the data, and it cannot look into root's home.
func (a *app) defaultDir(variable, inHome, forRoot string) string {
	if dir, ok := a.env(variable); ok && dir != "" {
		return filepath.Join(dir, "assay")
	}
	if os.Geteuid() == 0 {
		return forRoot
	}
	if home, ok := a.env("HOME"); ok && home != "" {
		return filepath.Join(home, inHome, "assay")
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("assay-%d", os.Geteuid()))
}
