package pages

import (
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/report"
)

// functions are what templates call. Those with "framed" take the page's model, for its clock and reader.
func (p *Pages) functions() template.FuncMap {
	return template.FuncMap{
		// texts
		"t": p.texts.text, "n": p.texts.count, "rich": p.texts.rich,
		// text of others
		"s": isolated, "sentence": sentence, "plain": oneLine, "lines": report.Visible,
		// figures
		"whole": whole, "bytes": bytesText, "num": number, "score": scoreText, "interval": intervalText, "either": eitherSide, "fig": fig,
		"span": p.span, "ago": p.ago, "when": when, "stamp": stamp, "day": day, "scale": p.scale,
		// links
		"url": Path, "asset": p.AssetPath, "next": next,
		// forms
		"input": p.input, "value": Form.value, "wrong": Form.wrong, "list": list,
		"may":  func(f framed, role platform.Role) bool { return f.role().May(role) },
		"nav":  nav,
		"tone": tone, "has": has, "skill": skill, "did": p.did, "tool": p.tool, "meaning": meaning, "details": details, "detail": p.detail,
		// what a part of a page needs
		"sides": sides, "sortable": sortable, "row": candidateRow, "upload": upload, "ownrun": ownRun, "runs": runs,
	}
}

func list(items ...string) []string { return items }

func has(items []string, item string) bool { return slices.Contains(items, item) }

// skill is the name of a skill: its id in words, as the challenges write it.
func skill(id string) string { return strings.ReplaceAll(id, "-", " ") }

// did is what an entry of the audit log says in words; empty: only its code is known.
func (p *Pages) did(action string) string {
	words, err := p.texts.text("did." + action)
	if err != nil {
		return ""
	}
	return words
}

// tool is the kind of machine that a program is for, in words where they are known.
func (p *Pages) tool(t Tool) string {
	if words, err := p.texts.text("tool." + t.Platform); err == nil && t.Name == t.Platform {
		return words
	}
	return t.Name
}

// meaning is what a reason code says to who is not an engineer; empty: the code is not known.
func meaning(code string) string {
	doc, _ := evidence.LookupCode(code)
	return doc.Recruiter
}

// details are what the audit log holds about an entry, a JSON object, as "name value" side by side. What is none stays as it is.
func details(raw string) string {
	var fields map[string]any
	if json.Unmarshal([]byte(raw), &fields) != nil {
		return raw
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		value := fields[name]
		if n, ok := value.(float64); ok {
			value = number(n)
		}
		out = append(out, fmt.Sprint(name, " ", value))
	}
	return strings.Join(out, ", ")
}

// detail is that of an entry of a timeline. A decision's is the outcome, which has words of its own.
func (p *Pages) detail(e TimelineEntry) string {
	if e.Key == HappenedDecided {
		if words, err := p.texts.text("state." + e.Detail); err == nil {
			return words
		}
	}
	return e.Detail
}

// scaleView is an interval on a line from 0 to 100.
type scaleView struct {
	Label           string
	Low, Width, Dot string
	Mark            string // empty: none is drawn
	// Under a large scale stand the mark in words, its text anchored so that it stays on the line, and the ends of the
	// line as far as there is room.
	MarkWords, Anchor string
	Start, End        bool
}

// scale places a figure. A mark below 0 is not drawn.
func (p *Pages) scale(f Figure, mark float64) (scaleView, error) {
	v := scaleView{Low: percent(f.Low), Width: percent(f.High - f.Low), Dot: percent(f.Score), Start: true, End: true}
	var err error
	if mark < 0 {
		v.Label, err = p.texts.text("scale.label", "score", scoreText(f.Score, 0), "interval", intervalText(f))
		return v, err
	}
	v.Mark, v.Anchor, v.Start, v.End = percent(mark), "middle", mark > 22, mark < 78
	switch {
	case mark < 15:
		v.Anchor = "start"
	case mark > 85:
		v.Anchor = "end"
	}
	if v.MarkWords, err = p.texts.text("assessment.mark", "mark", number(mark)); err != nil {
		return v, err
	}
	v.Label, err = p.texts.text("scale.marked", "score", scoreText(f.Score, mark), "interval", intervalText(f), "mark", number(mark))
	return v, err
}

// navItem is a link of the head.
type navItem struct {
	Key     string // of its text
	Path    string
	Current bool
}

// nav is what the reader may go to.
func nav(f framed) ([]navItem, error) {
	var out []navItem
	for _, item := range []struct {
		section Section
		role    platform.Role
	}{
		{SectionHome, platform.Reviewer}, {SectionWorkers, platform.Reviewer}, {SectionPeople, platform.Owner},
		{SectionTokens, platform.Owner}, {SectionWebhooks, platform.Owner}, {SectionAudit, platform.Owner},
	} {
		if !f.role().May(item.role) {
			continue
		}
		path, err := Path(string(item.section))
		if err != nil {
			return nil, err
		}
		out = append(out, navItem{Key: "nav." + string(item.section), Path: path, Current: f.section() == item.section})
	}
	return out, nil
}

// tone is the colour of a state: what needs somebody, what waits, what is good, or none.
func tone(state any) string {
	switch fmt.Sprint(state) {
	case "review", "pass", "advance", "graded", "done", "accepted":
		return "ok"
	case "withheld", "failed", "refused", "reject":
		return "bad"
	case "grading", "queued", "retrying", "invalid", "incomplete", "draining", "hold":
		return "wait"
	}
	return ""
}

// inputView is one field of a form with its label, hint and error.
type inputView struct {
	ID, Name, Label, Hint, Type, Value, Error string
	Autocomplete, Inputmode                   string
	Min, Max, Step, Suffix                    string
	Required, Narrow                          bool
	Rows                                      string // a text of several lines when it is not empty
}

// input makes a field. Its label is the text "field.<name>" unless label=… says otherwise; options are "type=email",
// "required", "narrow", "rows=5", "hint=<key>" and so on.
func (p *Pages) input(f Form, name string, options ...string) (inputView, error) {
	in := inputView{ID: "f-" + name, Name: name, Type: "text", Value: f.Values[name], Error: oneLine(sentence(f.Errors[name]))}
	label := "field." + name
	for _, o := range options {
		k, v, _ := strings.Cut(o, "=")
		switch k {
		case "type":
			in.Type = v
		case "label":
			label = v
		case "required":
			in.Required = true
		case "narrow":
			in.Narrow = true
		case "rows":
			in.Rows = v
		case "autocomplete":
			in.Autocomplete = v
		case "inputmode":
			in.Inputmode = v
		case "min":
			in.Min = v
		case "max":
			in.Max = v
		case "step":
			in.Step = v
		case "hint", "suffix":
			s, err := p.texts.text(v)
			if err != nil {
				return in, err
			}
			if k == "hint" {
				in.Hint = s
			} else {
				in.Suffix = s
			}
		default:
			return in, fmt.Errorf("field %s: there is no option %q", name, o)
		}
	}
	if in.Type == "password" {
		in.Value = "" // never sent back
	}
	var err error
	in.Label, err = p.texts.text(label)
	return in, err
}
