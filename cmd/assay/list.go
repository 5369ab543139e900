package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/internal/forms"
	"github.com/assay-run/assay/internal/gradework"
)

func (a *app) listCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the challenges",
		Example: "  assay list\n  assay list --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			all, err := a.challenges()
			if err != nil {
				return err
			}
			if asJSON {
				return writeChallengesJSON(a, all)
			}
			t := table.NewWriter()
			t.SetOutputMirror(a.out)
			t.SetStyle(table.StyleLight)
			t.Style().Options = table.OptionsNoBordersAndSeparators
			if !a.plain { // one line for each challenge is easier to read for programs
				t.SetColumnConfigs([]table.ColumnConfig{
					{Number: 4, WidthMax: 30, WidthMaxEnforcer: text.WrapSoft}, {Number: 5, WidthMax: 70, WidthMaxEnforcer: text.WrapSoft},
				})
			}
			t.AppendHeader(table.Row{"challenge", "level", "minutes", "skills", "what it asks for"})
			for _, ch := range all {
				t.AppendRow(table.Row{ch.ID, ch.Level, ch.Minutes, strings.Join(ch.Skills, ", "), ch.Summary})
			}
			t.Render()
			fmt.Fprintln(a.out, "\nMore about one: `assay show ID`. Begin one: `assay start ID DIR`.")
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return c
}

func writeChallengesJSON(a *app, all []*challenges.Challenge) error {
	type row struct {
		ID      string   `json:"id"`
		Version int      `json:"version"`
		Title   string   `json:"title"`
		Summary string   `json:"summary"`
		Level   string   `json:"level"`
		Minutes int      `json:"minutes"`
		Skills  []string `json:"skills"`
	}
	rows := make([]row, 0, len(all))
	for _, ch := range all {
		rows = append(rows, row{ch.ID, ch.Version, ch.Title, ch.Summary, ch.Level, ch.Minutes, ch.Skills})
	}
	enc := json.NewEncoder(a.out)
	enc.SetIndent("", "  ")
	return enc.Encode(rows)
}

func (a *app) startCommand() *cobra.Command {
	form := -1
	c := &cobra.Command{
		Use:     "start ID DIR",
		Short:   "Begin a challenge: put its brief and starter into a new folder",
		Example: "  assay start log-aggregate work\n  less work/BRIEF.md\n  assay run work --mode quick",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ch, err := a.challenge(args[0])
			if err != nil {
				return err
			}
			chosen, err := chooseForm(ch, form, cmd.Flags().Changed("form"))
			if err != nil {
				return err
			}
			if err := startChallenge(ch, args[1], chosen); err != nil {
				return err
			}
			fmt.Fprintf(a.out, "%s\n\n  read      %s\n  practise  assay run %s --mode quick%s\n",
				ch.Title, filepath.Join(args[1], "BRIEF.md"), args[1], a.challengesFlags())
			return nil
		},
	}
	c.Flags().IntVar(&form, "form", form, "form of a challenge whose starter has several (default: drawn)")
	return c
}

// challengesFlags are the flags that name the folders of challenges again, for a command that is suggested. Those of the environment
// need none.
func (a *app) challengesFlags() string {
	if !a.challengesGiven {
		return ""
	}
	var b strings.Builder
	for _, dir := range a.challengeDirs {
		b.WriteString(" --challenges " + dir)
	}
	return b.String()
}

// chooseForm is the form of the starter; nil for a challenge that has only one.
func chooseForm(ch *challenges.Challenge, asked int, given bool) (map[string][]byte, error) {
	if !forms.Has(ch.Files) {
		if given {
			return nil, usagef("Leave out --form.", "%s has only one form", ch.ID)
		}
		return nil, nil
	}
	set, err := forms.Load(ch.Files)
	if err != nil {
		return nil, fmt.Errorf("load forms of %s: %w", ch.ID, err)
	}
	if !given {
		asked = rand.IntN(set.Count()) //nolint:gosec // nothing depends on that nobody can guess it
	}
	if asked < 0 || asked >= set.Count() {
		return nil, usagef(fmt.Sprintf("Choose 0 to %d, or leave it out.", set.Count()-1), "there is no form %d of %s", asked, ch.ID)
	}
	files, _, err := set.Form(asked)
	return files, err
}

// startChallenge copies starter and brief into dir, which must be empty or new: nothing of the candidate is overwritten. form are the files of
// one form, in place of the starter; nil for the starter itself.
func startChallenge(ch *challenges.Challenge, dir string, form map[string][]byte) error {
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		return usagef("Choose a new folder.", "%s is not empty", dir)
	}
	if err != nil && !os.IsNotExist(err) {
		return usagef("Choose another folder.", "read %s: %w", dir, err)
	}
	if form != nil {
		err = gradework.WriteForm(form, dir)
	} else {
		var starter fs.FS
		if starter, err = fs.Sub(ch.Files, "starter"); err != nil {
			return fmt.Errorf("open starter: %w", err)
		}
		err = gradework.CopyTree(starter, dir)
	}
	if err != nil {
		return usagef("Choose a folder that you can write to.", "%w", err)
	}
	brief, err := fs.ReadFile(ch.Files, "brief.md")
	if err != nil {
		return fmt.Errorf("read brief: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "BRIEF.md"), brief, 0o644); err != nil {
		return fmt.Errorf("write brief: %w", err)
	}
	return nil
}
