package pages

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/assay-run/assay/internal/grading"
	"github.com/assay-run/assay/internal/report"
)

// oneLine makes text of others safe to show on one line: what reorders, hides or controls is shown as a symbol.
func oneLine(s string) string {
	return strings.NewReplacer("\n", "␊", "\t", " ").Replace(report.Visible(s))
}

// sentence is what a check says, as a sentence: programs begin in lower case and end without a stop.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	first, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return s
	}
	s = string(unicode.ToUpper(first)) + s[size:]
	if last, _ := utf8.DecodeLastRuneInString(s); !strings.ContainsRune(".?!…:", last) {
		s += "."
	}
	return s
}

// isolated is oneLine in an element of its own, so that a name in another direction does not turn what stands around it.
// What is empty is a dash: a link or a heading without text cannot be found.
func isolated(s string) template.HTML {
	if s == "" {
		return "–"
	}
	return template.HTML("<bdi>" + html.EscapeString(oneLine(s)) + "</bdi>") //nolint:gosec // escaped
}

// whole writes a number with separators of thousands.
func whole(n int) string { return grading.FormatValue(float64(n), "count") }

// bytesText writes a size.
func bytesText(n int64) string { return grading.FormatValue(float64(n), "bytes") }

// number writes a weight or a mark: two decimals at most, none when it is whole.
func number(v float64) string {
	return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64)
}

// scoreText writes a score as a whole number, for its interval is wider than that. Where rounding would carry it over the
// pass mark it has one decimal, and never one that reaches the mark: 64.97 is not 65.
func scoreText(v, mark float64) string {
	if r := math.Round(v); (r >= mark) == (v >= mark) {
		return strconv.FormatFloat(r, 'f', 0, 64)
	}
	if v < mark {
		return strconv.FormatFloat(math.Floor(v*10)/10, 'f', 1, 64)
	}
	return strconv.FormatFloat(math.Ceil(v*10)/10, 'f', 1, 64)
}

// intervalText writes an interval in whole numbers, rounded outwards: it never looks narrower than it is.
func intervalText(f Figure) string {
	low, high := math.Floor(f.Low+1e-9), math.Ceil(f.High-1e-9)
	if low == high {
		return strconv.FormatFloat(low, 'f', 0, 64)
	}
	return fmt.Sprintf("%.0f–%.0f", low, high)
}

// figView is a score with its interval; the interval is left out where it says the same as the score.
type figView struct{ Score, Interval string }

func fig(f Figure, mark float64) figView {
	v := figView{Score: scoreText(f.Score, mark), Interval: intervalText(f)}
	if v.Interval == v.Score {
		v.Interval = ""
	}
	return v
}

// eitherSide says that the pass mark lies within the interval: graded again, the score could fall on its other side.
func eitherSide(f Figure, mark float64) bool { return f.Low < mark && mark <= f.High }

// percent is a place on a scale of 0…100, for an attribute of SVG.
func percent(v float64) string {
	if math.IsNaN(v) {
		v = 0
	}
	return strconv.FormatFloat(min(max(v, 0), 100), 'f', 1, 64) + "%"
}

// moment writes a time in the reader's zone, machine-readable beside it. The script shows it in the browser's zone.
func moment(f framed, at time.Time, layout, kind string) template.HTML {
	if at.IsZero() {
		return "–"
	}
	local := at.In(f.zone())
	return template.HTML(fmt.Sprintf(`<time datetime="%s" data-local="%s">%s</time>`, //nolint:gosec // digits and names of months
		at.UTC().Format(time.RFC3339), kind, html.EscapeString(local.Format(layout))))
}

// when is a time to the minute. The year of today is left out.
func when(f framed, at time.Time) template.HTML {
	if thisYear(f, at) {
		return moment(f, at, "2 Jan, 15:04 MST", "minute")
	}
	return moment(f, at, "2 Jan 2006, 15:04 MST", "yearminute")
}

// stamp is a time to the second, whole.
func stamp(f framed, at time.Time) template.HTML {
	return moment(f, at, "2 Jan 2006, 15:04:05 MST", "second")
}

// day is a date. The year of today is left out.
func day(f framed, at time.Time) template.HTML {
	if thisYear(f, at) {
		return moment(f, at, "2 January", "day")
	}
	return moment(f, at, "2 January 2006", "yearday")
}

func thisYear(f framed, at time.Time) bool {
	return at.In(f.zone()).Year() == f.now().In(f.zone()).Year()
}

// parts of a length of time that is shown: the largest two that matter.
const (
	perHour = time.Hour
	perDay  = 24 * time.Hour
)

// span writes a length of time as people say it: two units at most.
func (p *Pages) span(d time.Duration) (string, error) {
	d = max(d, -d)
	switch {
	case d < 10*time.Second:
		return p.texts.text("span.moment")
	case d < 55*time.Second:
		return p.texts.text("span.seconds", "s", int(d.Round(10*time.Second)/time.Second))
	case d < perHour-30*time.Second:
		return p.texts.text("span.minutes", "m", int(d.Round(time.Minute)/time.Minute))
	case d < 2*perDay-30*time.Second:
		d = d.Round(time.Minute)
		if m := int(d % perHour / time.Minute); m != 0 {
			return p.texts.text("span.both", "h", int(d/perHour), "m", m)
		}
		return p.texts.text("span.hours", "h", int(d/perHour))
	default:
		return p.texts.count("span.days", int(d.Round(perDay)/perDay))
	}
}

// ago writes how long ago something was.
func (p *Pages) ago(f framed, at time.Time) (string, error) {
	if at.IsZero() {
		return p.texts.text("ago.never")
	}
	d := f.now().Sub(at)
	if d < 10*time.Second {
		return p.texts.text("ago.now")
	}
	s, err := p.span(d)
	if err != nil {
		return "", err
	}
	return p.texts.text("ago.past", "span", s)
}
