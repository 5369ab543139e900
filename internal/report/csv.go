package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/assay-run/assay/internal/grading"
)

// csvHeader names the columns of CSV.
func csvHeader() []string {
	return []string{"grading", "challenge", "challenge_version", "mode", "official", "started", "submission", "verdict", "score",
		"score_low", "score_high", "pass_mark", "criterion", "title", "skill", "assessed", "why_not", "value", "unit", "reference",
		"ratio", "points", "max_points", "points_low", "points_high", "codes", "recruiter", "engineer"}
}

// CSV writes one row a criterion, so that many reports can be put below each other in a spreadsheet. Numbers are plain
// decimals in the unit of the row; unknown ones are empty, and so is the score of a withheld or invalid grading. A text
// that a spreadsheet would take for a formula is prefixed with an apostrophe. Lines end with LF.
func CSV(w io.Writer, rep *grading.Report) error {
	rep = clean(rep)
	c := csv.NewWriter(w)
	if err := c.Write(csvHeader()); err != nil {
		return fmt.Errorf("write CSV report: %w", err)
	}
	for _, r := range rep.Criteria {
		if err := c.Write(csvRow(rep, r)); err != nil {
			return fmt.Errorf("write CSV report: %w", err)
		}
	}
	c.Flush()
	if err := c.Error(); err != nil {
		return fmt.Errorf("write CSV report: %w", err)
	}
	return nil
}

func csvRow(rep *grading.Report, r grading.CriterionResult) []string {
	var score, low, high, got, of, gotLow, gotHigh string
	if scored(rep) {
		score, low, high = decimal(rep.Score), decimal(rep.Interval.Low), decimal(rep.Interval.High)
	}
	if r.Assessed {
		got, of, gotLow, gotHigh = decimal(r.Points), decimal(r.MaxPoints), decimal(r.Low*r.MaxPoints), decimal(r.High*r.MaxPoints)
	}
	return []string{
		Cell(rep.ID), Cell(rep.Challenge.ID), strconv.Itoa(rep.Challenge.Version), Cell(rep.Mode), strconv.FormatBool(rep.Official),
		rep.Started.UTC().Format("2006-01-02T15:04:05Z"), Cell(rep.Submission.Name), Cell(string(rep.Verdict)), score, low, high,
		decimal(rep.PassMark), Cell(r.ID), Cell(r.Title), Cell(r.Skill), strconv.FormatBool(r.Assessed), Cell(r.Why),
		decimalPtr(r.Value), Cell(r.Unit), decimalPtr(r.Reference), decimalPtr(r.Ratio), got, of,
		gotLow, gotHigh, Cell(strings.Join(r.Codes, " ")), Cell(r.Recruiter), Cell(r.Engineer),
	}
}

// Cell keeps a spreadsheet from running a text that becomes a cell: it begins with an apostrophe then, which is shown as
// text. What decides is the first character that is not a space: some programs trim before they look.
func Cell(s string) string {
	if t := strings.TrimLeft(s, " \u00a0\u3000"); t != "" && strings.ContainsRune("=+-@|%\t\r\n＝＋－＠", []rune(t)[0]) {
		return "'" + s
	}
	return s
}

// decimal writes at most four decimals, never an exponent.
func decimal(v float64) string {
	if !finite(v) {
		return ""
	}
	s := strconv.FormatFloat(v, 'f', 4, 64)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

func decimalPtr(v *float64) string {
	if v == nil {
		return ""
	}
	return decimal(*v)
}
