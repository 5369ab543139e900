package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assay-run/assay/internal/grading"
	"github.com/assay-run/assay/internal/intake"
	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/client"
	"github.com/assay-run/assay/internal/report"
	"github.com/assay-run/assay/internal/scratch"
)

type submitOptions struct {
	server, invitation string
	challenge          string
	final, noWait      bool
	plainHTTP          bool
	follow             string
	report             string
}

func (a *app) submitCommand() *cobra.Command {
	var opts submitOptions
	c := &cobra.Command{
		Use:   "submit DIR|ARCHIVE",
		Short: "Hand in your work to the team that invited you, and follow its grading",
		Long: `Hand in a folder or an archive: a dry run, or with --final the submission that counts and cannot be taken back. The folder
is looked at here first, by the rules of the server: .git and what a build installs are left out. Then its grading is
followed until the verdict; Ctrl-C leaves it running.

Your invitation's link opens your attempt, so it is not given on the command line, where others on the machine could read
it. It is taken from ASSAY_INVITATION (the link, or the token at its end), from the file that --invitation-file or
ASSAY_INVITATION_FILE names, or you are asked for it.

Exit codes are those of ` + "`assay run`" + `, as far as the team shows the result: 0 also when it does not.`,
		Example: `  assay submit work                                       a dry run; you are asked for the link
  assay submit work --final --invitation-file link.txt    what counts
  assay submit --follow job_01jd…                         look again at a grading`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case opts.follow != "" && len(args) > 0:
				return errors.New("--follow looks at what was handed in, and takes no folder")
			case opts.follow == "" && len(args) != 1:
				return fmt.Errorf("accepts 1 arg(s), received %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if opts.follow != "" {
				return a.followOnly(cmd.Context(), opts)
			}
			return a.submit(cmd.Context(), args[0], opts)
		},
	}
	f := c.Flags()
	f.StringVar(&opts.server, "server", "", "address of the server (default: that of the link, else ASSAY_SERVER)")
	f.StringVar(&opts.invitation, "invitation-file", "", "file with the invitation's link or token")
	f.StringVar(&opts.challenge, "challenge", "", "challenge that it answers (default: the one assay.json names)")
	f.BoolVar(&opts.final, "final", false, "hand in what counts; it cannot be taken back")
	f.BoolVar(&opts.noWait, "no-wait", false, "do not follow the grading")
	f.StringVar(&opts.follow, "follow", "", "follow a grading of before, by its id, and hand in nothing")
	f.StringVar(&opts.report, "report", "", "write the report.json to this file, when the team shows it")
	f.BoolVar(&opts.plainHTTP, "plain-http", false, "allow a server by http:// on another machine: everybody on the way can read the link")
	return c
}

// submit hands in, and follows.
func (a *app) submit(ctx context.Context, path string, opts submitOptions) (err error) {
	// The input is looked at first: a mistake in it should not wait for a link.
	sub, err := intake.Open(ctx, path, intake.Options{Challenge: opts.challenge})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sub.Close()) }()
	c, err := a.submitClient(ctx, opts)
	if err != nil {
		return err
	}
	stands, err := c.Invitation(ctx)
	if err != nil {
		return serverFault(err)
	}
	if opts.challenge, err = challengeToSubmit(stands, sub, opts.challenge); err != nil {
		return err
	}
	handed, err := a.upload(ctx, c, sub, opts)
	if err != nil {
		return err
	}
	for _, note := range handed.Submission.Intake.Notes {
		fmt.Fprintf(a.err, "  %s\n", report.Visible(note))
	}
	if !handed.Submission.Intake.Accepted || handed.Grading == nil {
		return usagef("Nothing was charged. Mend it and hand it in again.", "the server refuses it: %s", report.Visible(handed.Submission.Intake.Problem))
	}
	what := "a dry run"
	if opts.final {
		what = "your final submission"
	}
	fmt.Fprintf(a.err, "%s of %s is handed in (grading %s)\n", what, opts.challenge, handed.Grading.ID)
	if handed.Complete {
		fmt.Fprintln(a.err, "It was the last one: your attempt is handed in.")
	}
	if opts.noWait {
		fmt.Fprintf(a.err, "  %s\n", lookAgain(handed.Grading.ID))
		return nil
	}
	return a.follow(ctx, c, handed.Grading.ID, opts)
}

func lookAgain(id platform.ID) string {
	return fmt.Sprintf("Look again: assay submit --follow %s, or the page behind your link.", id)
}

// challengeToSubmit is the challenge of a submission: what the flag says, else what its assay.json says, else the only one
// of the assessment.
func challengeToSubmit(stands client.Invitation, sub *intake.Submission, flag string) (string, error) {
	var ids []string
	for _, ch := range stands.Assessment.Challenges {
		ids = append(ids, ch.ID)
	}
	hint := "Add --challenge with one of: " + strings.Join(ids, ", ") + "."
	id := flag
	if id == "" {
		id = sub.Manifest.Challenge
	}
	if id == "" && len(ids) == 1 {
		id = ids[0]
	}
	switch {
	case id == "":
		return "", usagef(hint, "%s does not say which challenge it is for", sub.Name)
	case stands.Attempt == nil:
		return "", usagef("Open your link in a browser and start there: the clock runs from then.", "you have not started yet")
	}
	for _, one := range ids {
		if one == id {
			return id, nil
		}
	}
	return "", usagef(hint, "%s is not part of %s", id, report.Visible(stands.Assessment.Name))
}

// upload packs the submission and sends it.
func (a *app) upload(ctx context.Context, c *client.Client, sub *intake.Submission, opts submitOptions) (_ client.HandedIn, err error) {
	none := client.HandedIn{}
	dir, err := scratch.Make("", "submit")
	if err != nil {
		return none, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	name := filepath.Join(dir.Path, "work.tar.gz")
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return none, fmt.Errorf("pack submission: %w", err)
	}
	if err := errors.Join(sub.Pack(ctx, f), f.Close()); err != nil {
		return none, err
	}
	info, err := os.Stat(name)
	if err != nil {
		return none, fmt.Errorf("pack submission: %w", err)
	}
	if most := intake.DefaultLimits().ArchiveBytes; info.Size() > most {
		return none, usagef("Leave out what can be installed or built.", "packed it has %s; at most %s are taken", formatBytes(info.Size()), formatBytes(most))
	}
	kind := platform.DryRun
	if opts.final {
		kind = platform.Final
	}
	fmt.Fprintf(a.err, "handing in %s, %s\n", report.Visible(sub.Name), formatBytes(info.Size()))
	handed, err := c.Submit(ctx, client.Upload{
		Challenge: opts.challenge, Kind: kind, FileName: sub.Name + ".tar.gz", Key: rand.Text(), Bytes: info.Size(),
		Open: func() (io.ReadCloser, error) { return os.Open(name) },
	})
	if ctx.Err() != nil {
		fmt.Fprintln(a.err, "The server has not answered: see at the page behind your link whether it was handed in.")
		return none, errDone
	}
	if err != nil {
		return none, serverFault(err)
	}
	return handed, nil
}

// serverFault says whose affair an answer of the server is.
func serverFault(err error) error {
	var p *client.ProblemError
	if !errors.As(err, &p) {
		return faultf("See that the address is right and that the server runs. Nothing was handed in unless it was said above.", "ask server: %w", err)
	}
	if p.Status < 500 {
		return usagef("", "%s", report.Visible(p.Error()))
	}
	return faultf("Try again in a minute. Nothing was charged to you.", "%s", report.Visible(p.Error()))
}

func (a *app) followOnly(ctx context.Context, opts submitOptions) error {
	id := platform.ID(opts.follow)
	if !id.Is(platform.KindJob) {
		return usagef("It was shown when the work was handed in, and begins with job_.", "%q is not the id of a grading", opts.follow)
	}
	c, err := a.submitClient(ctx, opts)
	if err != nil {
		return err
	}
	return a.follow(ctx, c, id, opts)
}

// follow waits for the verdict. Whoever interrupts it leaves the grading running.
func (a *app) follow(ctx context.Context, c *client.Client, id platform.ID, opts submitOptions) error {
	a.second.announce("the grading goes on without you. " + lookAgain(id))
	d := newDisplay(a.err, a.plain)
	end, err := c.Follow(ctx, id, func(g client.Grading) { d.Update(standing(g), 0, 0, "") })
	d.Done()
	switch {
	case ctx.Err() != nil:
		return errDone // the words were said with the signal
	case err != nil:
		fmt.Fprintf(a.err, "  The grading goes on. %s\n", lookAgain(id))
		return serverFault(err)
	}
	switch end.State {
	case platform.JobGraded:
		return a.showResult(ctx, c, end.SubmissionID, opts)
	case platform.JobInvalid:
		fmt.Fprintf(a.err, "%s\n", report.Visible(end.Why))
		return &verdictError{grading.Invalid}
	case platform.JobFailed:
		return faultf("Nothing was charged to you; you may hand it in again.", "%s", report.Visible(end.Why))
	default:
		fmt.Fprintf(a.err, "The grading is %s. %s\n", end.State, report.Visible(end.Why))
		return errDone
	}
}

// standing is how a grading stands, in a line.
func standing(g client.Grading) string {
	switch {
	case g.State == platform.JobRunning && g.Progress != "":
		return "grading: " + g.Progress
	case g.State == platform.JobRunning:
		return "grading"
	case g.Over:
		return "the grading is over"
	case g.Why != "":
		return "waiting: " + g.Why
	case g.Ahead == 0:
		return "waiting: it is next"
	case g.Ahead == 1:
		return "waiting: one grading begins before it"
	default:
		return fmt.Sprintf("waiting: %d gradings begin before it", g.Ahead)
	}
}

// showResult shows as much of a result as the team allows.
func (a *app) showResult(ctx context.Context, c *client.Client, submission platform.ID, opts submitOptions) error {
	all, err := c.Results(ctx)
	if err != nil {
		return serverFault(err)
	}
	for _, r := range all {
		if r.SubmissionID != submission {
			continue
		}
		if r.Report {
			return a.showOwnReport(ctx, c, r, opts)
		}
		return a.sayResult(r)
	}
	fmt.Fprintln(a.out, "It is graded. The team that invited you will tell you more.")
	return nil
}

// sayResult is for a result whose report is not shown.
func (a *app) sayResult(r client.Result) error {
	switch r.Verdict {
	case platform.Passed, platform.Below:
	case platform.Incomplete:
		fmt.Fprintln(a.out, "It is graded. A person looks at it before there is a verdict.")
		return nil
	default:
		fmt.Fprintln(a.out, "It is graded. The team that invited you shows results later, or tells you in another way.")
		return nil
	}
	line := string(r.Verdict)
	if r.Score != nil && r.Low != nil && r.High != nil {
		line = fmt.Sprintf("%s, %.0f of 100 (%.0f–%.0f)", r.Verdict, *r.Score, *r.Low, *r.High)
	}
	fmt.Fprintln(a.out, line)
	if r.Headline != "" {
		fmt.Fprintf(a.out, "  %s\n", report.Visible(r.Headline))
	}
	if r.Verdict == platform.Below {
		return &verdictError{grading.Fail}
	}
	return nil
}

// showOwnReport prints the report as `assay run` does.
func (a *app) showOwnReport(ctx context.Context, c *client.Client, r client.Result, opts submitOptions) (err error) {
	dir, err := scratch.Make("", "report")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	name := filepath.Join(dir.Path, grading.ReportFile)
	if opts.report != "" {
		name = opts.report
	}
	f, err := os.Create(name)
	if err != nil {
		return usagef("Choose a file that you can write with --report.", "write report: %w", err)
	}
	if err := errors.Join(c.Report(ctx, r.ID, f), f.Close()); err != nil {
		return serverFault(err)
	}
	rep, err := grading.ReadReport(name)
	if err != nil {
		return faultf("The page behind your link shows it; or use an assay of the server's version.", "%w", err)
	}
	if err := report.TerminalAway(a.out, rep, terminalWidth(a.out), isTerminal(a.out) && !a.plain); err != nil {
		return err
	}
	if rep.Verdict == grading.Pass {
		return nil
	}
	return &verdictError{rep.Verdict}
}

// submitClient makes the client of the invitation.
func (a *app) submitClient(ctx context.Context, opts submitOptions) (*client.Client, error) {
	text, err := a.invitation(ctx, opts.invitation)
	if err != nil {
		return nil, err
	}
	server, token, err := readInvitation(text)
	if err != nil {
		return nil, err
	}
	asked := opts.server
	if asked == "" {
		asked, _ = a.env("ASSAY_SERVER")
	}
	switch {
	case server == "" && asked == "":
		return nil, usagef("Use the whole link, or add --server.", "the token does not say where the server is")
	case server != "" && asked != "" && strings.TrimRight(asked, "/") != server:
		return nil, usagef("Leave out --server and ASSAY_SERVER, or use the link of that server.", "the link is of %s, not of %s", server, asked)
	case asked != "":
		server = asked
	}
	if !client.Private(server) && !opts.plainHTTP {
		return nil, usagef("Use the address with https://, or --plain-http where you trust the network.", "everybody on the way to %s could read the link", server)
	}
	c, err := client.New(client.Options{Server: server, Token: token})
	if err != nil {
		return nil, usagef("Use the link as you were sent it.", "%w", err)
	}
	return c, nil
}

// readInvitation takes a link or a token apart. The server of a token alone is empty.
func readInvitation(text string) (server, token string, err error) {
	at := strings.LastIndex(text, platform.InvitationToken)
	if at < 0 {
		return "", "", usagef("Use the link that you were sent, in full.", "this is not the link of an invitation, and not its token")
	}
	token = text[at:]
	if end := strings.IndexFunc(token, notInToken); end >= 0 {
		token = token[:end]
	}
	if at == 0 {
		return "", token, nil
	}
	server, ok := strings.CutSuffix(text[:at], "/i/")
	if !ok || !strings.Contains(server, "://") {
		return "", "", usagef("Use the link that you were sent, in full.", "this is not the link of an invitation")
	}
	return server, token, nil
}

func notInToken(r rune) bool {
	return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-", r)
}
