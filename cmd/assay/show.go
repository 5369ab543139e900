package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/internal/catalogue"
	"github.com/assay-run/assay/internal/evidence"
)

func (a *app) showCommand() *cobra.Command {
	var asJSON, noBrief bool
	c := &cobra.Command{
		Use:   "show ID",
		Short: "Show a challenge: what is asked, what points are given for, how long a grading takes",
		Example: `  assay show log-aggregate
  assay show log-aggregate --no-brief
  assay show my-challenge --challenges my-challenge --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			ch, err := a.challenge(args[0])
			if err != nil {
				return err
			}
			page, err := catalogue.Of(ch)
			if err != nil {
				return err
			}
			if !asJSON {
				return catalogue.Text(a.out, page, terminalWidth(a.out), !noBrief)
			}
			enc := json.NewEncoder(a.out)
			enc.SetIndent("", "  ")
			return enc.Encode(page)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	c.Flags().BoolVar(&noBrief, "no-brief", false, "leave out the text that candidates read")
	return c
}

// docsCommand writes the generated pages of docs; `make docs` calls it.
func (a *app) docsCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "docs DIR",
		Short:  "Write the generated pages into a docs folder",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			pages, err := a.generatedDocs()
			if err != nil {
				return err
			}
			if err := os.MkdirAll(filepath.Join(args[0], "challenges"), 0o755); err != nil {
				return usagef("Choose a folder that you can write to.", "%w", err)
			}
			for name, text := range pages {
				if err := os.WriteFile(filepath.Join(args[0], filepath.FromSlash(name)), []byte(text), 0o644); err != nil {
					return usagef("Choose a folder that you can write to.", "%w", err)
				}
			}
			return nil
		},
	}
}

// generatedDocs are the pages of docs that are made from code, by path.
func (a *app) generatedDocs() (map[string]string, error) {
	all, err := a.challenges()
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	var pages []catalogue.Page
	for _, ch := range all {
		page, err := catalogue.Of(ch)
		if err != nil {
			return nil, err
		}
		pages = append(pages, page)
		files["challenges/"+ch.ID+".md"] = catalogue.Markdown(page)
	}
	files["challenges/README.md"] = catalogue.Index(pages)
	files["codes.md"] = catalogue.Codes(evidence.Codes(), challenges.Skills())
	var docs, own []catalogue.WorkloadDoc
	for _, g := range allGraders() {
		doc := catalogue.WorkloadDoc{Name: g.Name(), Metrics: g.Metrics()}
		if s, ok := g.(graders.Settings); ok {
			doc.Settings = s.SettingsSchema()
			docs = append(docs, doc)
			continue
		}
		own = append(own, doc)
	}
	if files["workloads.md"], err = catalogue.Workloads(append(docs, own...)); err != nil {
		return nil, fmt.Errorf("describe workloads: %w", err)
	}
	return files, nil
}
