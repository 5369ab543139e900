package report

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/grading"
)

//go:embed assets
var assets embed.FS

// Options are the things of an HTML report that are not in the report itself.
type Options struct {
	// ReferenceScore is what the challenge's reference solution gets, 0…100; nil when it is not known.
	ReferenceScore *float64
	// Of is whose submission it is, shown in place of the name that it has in the report; that one when empty.
	Of string
	// Back is where the page was asked for; without an address there is no way back.
	Back Link
	// Recompute is the command that makes the verdict again from the evidence; "assay report report.json" when empty.
	Recompute string
}

// Link is a link to another page.
type Link struct{ URL, Text string }

// HTML writes the report as one self-contained page: no file beside it, no network, a content security policy that allows
// nothing but its own style and script. It works without JavaScript, which only makes the curves interactive. ev adds
// the curves, outputs and files; nil leaves them out. The page stays below about 3 MB whatever was measured.
func HTML(w io.Writer, rep *grading.Report, ev *evidence.Grading, opts Options) error {
	rep = clean(rep)
	if ev != nil {
		ev = clean(shown(ev))
	}
	p, err := newPage(rep, ev, opts)
	if err != nil {
		return err
	}
	t, err := template.New("report.gohtml").Funcs(template.FuncMap{"codes": codeIDs}).ParseFS(assets, "assets/*.gohtml")
	if err != nil {
		return fmt.Errorf("parse report template: %w", err)
	}
	if err := t.Execute(w, p); err != nil {
		return fmt.Errorf("write HTML report: %w", err)
	}
	return nil
}

// codeIDs turns reason codes into anchors of this page, only for those that it explains.
func codeIDs(known []grading.Code, codes []string) []codeLink {
	var out []codeLink
	for _, c := range codes {
		link := codeLink{Code: c}
		for _, k := range known {
			if k.Code == c {
				link.Known = true
			}
		}
		out = append(out, link)
	}
	return out
}

// codeLink is a reason code, with a link where the page explains it.
type codeLink struct {
	Code  string
	Known bool
}

// inline is the style and the script of the page with the policy that allows exactly them.
type inline struct {
	Policy string
	Style  template.CSS
	Script template.JS
}

func newInline() (inline, error) {
	style, err := join("assets/uPlot.min.css", "assets/report.css")
	if err != nil {
		return inline{}, err
	}
	script, err := join("assets/uPlot.iife.min.js", "assets/report.js")
	if err != nil {
		return inline{}, err
	}
	return inline{
		Policy: fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; img-src data:; base-uri 'none'; form-action 'none'",
			hash(style), hash(script)),
		Style:  template.CSS(style), //nolint:gosec // our own files
		Script: template.JS(script), //nolint:gosec // our own files
	}, nil
}

// Policy is the content security policy that allows what a page of HTML needs, and no more: whoever serves one sends it.
func Policy() (string, error) {
	in, err := newInline()
	return in.Policy, err
}

func join(names ...string) (string, error) {
	var all string
	for _, n := range names {
		b, err := assets.ReadFile(n)
		if err != nil {
			return "", fmt.Errorf("read %s: %w", n, err)
		}
		all += string(b) + "\n"
	}
	return all, nil
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
