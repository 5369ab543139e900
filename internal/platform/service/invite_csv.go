package service

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

// Bounds of a list of people to invite.
const (
	MaxListBytes  = 1 << 20
	maxLineErrors = 100 // that are told; the rest is counted
)

// LineError is what is wrong with one line of a list.
type LineError struct {
	Line    int // from 1, the header included
	Field   string
	Message string
}

// ListError says that a list has mistakes, so that nobody was invited. It wraps an Invalid *platform.Error.
type ListError struct {
	Lines []LineError // the first maxLineErrors
	Count int         // all
	Read  int         // lines that were read, without the first
}

// Error returns the number of mistakes and the first of them.
func (e *ListError) Error() string { return e.Unwrap().Error() }

// Unwrap returns what may be told.
func (e *ListError) Unwrap() error {
	first := e.Lines[0]
	return platform.InvalidField("file", "Nobody was invited: the list has %d mistakes. Line %d: %s", e.Count, first.Line, first.Message)
}

func (e *ListError) add(line int, field, message string) {
	e.Count++
	if len(e.Lines) < maxLineErrors {
		e.Lines = append(e.Lines, LineError{line, field, message})
	}
}

// listColumns are what a list may have, in any order; the first line names them.
func listColumns() []string { return []string{"name", "email", "reference", "extra_percent"} }

// InviteList invites the people of a CSV file: all, or nobody when a line is wrong. Then the error is a *ListError, with
// every mistake and its line. Of in, everything but Invitees is taken.
func (s *Service) InviteList(ctx context.Context, a Actor, in NewInvitations, list io.Reader) ([]store.InviteResult, error) {
	if _, err := s.authorise(a, Invite); err != nil { // before a byte is read
		return nil, err
	}
	invitees, err := ReadList(list)
	if err != nil {
		return nil, err
	}
	in.Invitees = invitees
	return s.Invite(ctx, a, in)
}

// ReadList reads people to invite from CSV with a header, separated by commas, semicolons or tabs.
func ReadList(r io.Reader) ([]platform.Invitee, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxListBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read list: %w", err)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	switch {
	case len(text) > MaxListBytes:
		return nil, platform.InvalidField("file", "The list may have %d KiB at most. Split it.", MaxListBytes>>10)
	case !utf8.Valid(text):
		return nil, platform.InvalidField("file", "The list is not text in UTF-8. Save it as \"CSV UTF-8\".")
	case len(bytes.TrimSpace(text)) == 0:
		return nil, platform.InvalidField("file", "The list is empty.")
	}
	reader := csv.NewReader(bytes.NewReader(text))
	reader.FieldsPerRecord = -1
	reader.Comma = separator(text)
	header, err := reader.Read()
	if err != nil {
		return nil, platform.InvalidField("file", "The first line cannot be read: %s", err)
	}
	at, err := columns(header)
	if err != nil {
		return nil, err
	}
	return readLines(reader, at, len(header))
}

// separator is the one that the first line has most of; spreadsheets of some languages write semicolons.
func separator(text []byte) rune {
	first, _, _ := bytes.Cut(text, []byte("\n"))
	best := ','
	for _, c := range ";\t" {
		if bytes.Count(first, []byte(string(c))) > bytes.Count(first, []byte(string(best))) {
			best = c
		}
	}
	return best
}

// columns says where each column is.
func columns(header []string) (map[string]int, error) {
	at := map[string]int{}
	for i, name := range header {
		name = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains(listColumns(), name) {
			return nil, platform.InvalidField("file", "The first line names the columns: %s. %q is none of them.", strings.Join(listColumns(), ", "), safeName(name))
		}
		if _, twice := at[name]; twice {
			return nil, platform.InvalidField("file", "The column %s is there twice.", name)
		}
		at[name] = i
	}
	_, name := at["name"]
	if _, email := at["email"]; !name && !email {
		return nil, platform.InvalidField("file", "The list needs a column name or email.")
	}
	return at, nil
}

func readLines(reader *csv.Reader, at map[string]int, width int) ([]platform.Invitee, error) {
	var out []platform.Invitee
	wrong := &ListError{}
	seen := map[string]int{}
	for {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if parse := (*csv.ParseError)(nil); errors.As(err, &parse) {
			wrong.Read++
			wrong.add(parse.StartLine, "", "The quotes of this line do not fit.")
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read list: %w", err)
		}
		line, _ := reader.FieldPos(0)
		wrong.Read++
		if len(record) != width {
			wrong.add(line, "", fmt.Sprintf("It has %d columns, the first line has %d.", len(record), width))
			continue
		}
		if len(out) >= store.MaxInvitees {
			return nil, platform.InvalidField("file", "The list may have %d people at most. Split it.", store.MaxInvitees)
		}
		i, field, message := readInvitee(record, at)
		key := platform.NormalEmail(i.Email)
		if message == "" && key != "" && seen[key] != 0 {
			field, message = "email", fmt.Sprintf("This address is in line %d already.", seen[key])
		}
		if message != "" {
			wrong.add(line, field, message)
		}
		if seen[key] == 0 {
			seen[key] = line
		}
		out = append(out, i)
	}
	switch {
	case wrong.Count > 0:
		return nil, wrong
	case len(out) == 0:
		return nil, platform.InvalidField("file", "The list has a first line and nobody in it.")
	}
	return out, nil
}

// readInvitee reads one line; message is empty when it is right.
func readInvitee(record []string, at map[string]int) (out platform.Invitee, field, message string) {
	get := func(name string) string {
		if i, ok := at[name]; ok {
			return strings.TrimSpace(record[i])
		}
		return ""
	}
	out = platform.Invitee{Name: get("name"), Email: get("email"), ExternalRef: get("reference")}
	if text := strings.TrimSuffix(get("extra_percent"), "%"); text != "" {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			return out, "extra_percent", "Extra time is a whole number of percent."
		}
		out.ExtraPercent = n
	}
	if err := checkInvitee(out); err != nil {
		if e := (*platform.Error)(nil); errors.As(err, &e) {
			return out, e.Field, e.Message
		}
		return out, "", platform.ErrorMessage(err)
	}
	return out, "", ""
}
