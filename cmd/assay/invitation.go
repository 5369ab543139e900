package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// maxInvitation bounds a link that is typed or piped, in bytes.
const maxInvitation = 4 << 10

// invitation is the link or token of an invitation: from the file that a flag names, from the environment, or asked for.
func (a *app) invitation(ctx context.Context, file string) (text string, err error) {
	if file != "" {
		text, err = readSecret(file, "--invitation-file")
	} else {
		text, err = a.secret("ASSAY_INVITATION")
	}
	if err != nil || text != "" {
		return text, err
	}
	if in, ok := a.in.(*os.File); ok && term.IsTerminal(int(in.Fd())) {
		return a.askSecret(ctx, in, "The link of your invitation (it is not shown): ")
	}
	line, err := bufio.NewReader(io.LimitReader(a.in, maxInvitation)).ReadString('\n')
	if text = strings.TrimSpace(line); text != "" {
		return text, nil
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the link of the invitation: %w", err)
	}
	return "", usagef("Set ASSAY_INVITATION, or use --invitation-file.", "there is no link of an invitation")
}

// askSecret asks for a line without showing it.
func (a *app) askSecret(ctx context.Context, in *os.File, question string) (string, error) {
	shown, err := term.GetState(int(in.Fd()))
	if err != nil {
		return "", fmt.Errorf("ask at the terminal: %w", err)
	}
	type answer struct {
		text []byte
		err  error
	}
	answered := make(chan answer, 1)
	fmt.Fprint(a.err, question)
	// Nothing ends a read of a terminal but a line. Whoever interrupts the command ends the process soon, and this with it.
	go func() {
		text, err := term.ReadPassword(int(in.Fd()))
		answered <- answer{text, err}
	}()
	select {
	case got := <-answered:
		fmt.Fprintln(a.err)
		if got.err != nil {
			return "", fmt.Errorf("ask at the terminal: %w", got.err)
		}
		return strings.TrimSpace(string(got.text)), nil
	case <-ctx.Done():
		if err := term.Restore(int(in.Fd()), shown); err != nil {
			return "", errors.Join(context.Cause(ctx), fmt.Errorf("show what is typed again: %w", err))
		}
		return "", context.Cause(ctx)
	}
}
