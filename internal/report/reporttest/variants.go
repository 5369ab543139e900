package reporttest

import (
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/grading"
)

// Passing is an official run at the pass mark or above.
func Passing() *grading.Report {
	rep := Blocked()
	rep.Verdict, rep.Score, rep.Band = grading.Pass, 88, "senior-like"
	rep.Interval.Low, rep.Interval.High = 83.1, 91.4
	rep.Codes = nil
	for i := range rep.Criteria {
		c := &rep.Criteria[i]
		c.Score, c.Points, c.Low, c.High, c.Codes, c.Ask = 0.88, 0.88*c.MaxPoints, 0.84, 0.92, nil, ""
	}
	rep.Summary.Headline = "The numbers are right, memory stays flat, and it answers while it works."
	rep.Summary.Risks = nil
	return rep
}

// OutOfMemory failed a gate: the score is capped and two criteria are not assessed.
func OutOfMemory() *grading.Report {
	rep := Blocked()
	rep.Score, rep.Band = 40, "junior-like"
	rep.Interval.Low, rep.Interval.High = 40, 40
	rep.Cap = &grading.Cap{Points: 40, Gate: "survives", Uncapped: 63.5,
		Sentence: "The program ran out of memory and was ended before it could finish."}
	rep.Gates[1].Passed, rep.Gates[1].Code = false, "OOM_CGROUP"
	rep.Gates[1].Sentence = rep.Cap.Sentence
	for _, i := range []int{4, 5} {
		c := &rep.Criteria[i]
		c.Assessed, c.Why = false, "It did not finish, so there is no speed to speak of."
		*c = grading.CriterionResult{ID: c.ID, Title: c.Title, Detail: c.Detail, Skill: c.Skill, Unit: c.Unit,
			Why: c.Why, Reference: c.Reference}
	}
	for i := range rep.Criteria { // what is left carries the whole weight
		c := &rep.Criteria[i]
		c.Weight, c.Points, c.MaxPoints = c.Weight/0.85, c.Points/0.85, c.MaxPoints/0.85
	}
	rep.Codes = []grading.Code{{Code: "OOM_CGROUP", Engineer: "The kernel ended the process at the container's memory limit.",
		Recruiter: "It ran out of memory and was ended.", Findings: []evidence.Finding{{Code: "OOM_CGROUP", Scenario: "main",
			Execution: "main", AtSeconds: 9.1, Detail: "Ended at 256 MB after 9.1 s, with 61 % of the file read."}}}}
	rep.Summary.Headline = "It runs out of memory on a log that is larger than memory."
	return rep
}

// Practice is a quick run on plain processes, with few runs and nothing official.
func Practice() *grading.Report {
	rep := Passing()
	rep.Mode, rep.Official = "quick", false
	rep.Environment.Engine, rep.Environment.Sandboxed, rep.Environment.CgroupVersion = "process", false, 0
	rep.Environment.Image, rep.Environment.ImageDigest = "", ""
	rep.Environment.Runtime, rep.Environment.Seccomp = "", ""
	rep.Notes = append(rep.Notes, `This is practice: scores of the mode "quick" are not official.`, "Constant memory is not proven below about 10 bytes per line: the file is too small.")
	return rep
}

// Invalid could not be trusted, even after repeats.
func Invalid() *grading.Report {
	rep := Blocked()
	rep.Verdict, rep.Score, rep.Codes = grading.Invalid, 0, nil
	rep.Interval = grading.Interval{}
	rep.Invalid = "The reference runs differ by a factor of 1.41 in main.throughput, and 1.25 is allowed"
	rep.Noise.ReferenceRatio, rep.Noise.Repeats = 1.41, 2
	rep.Summary = grading.Summary{Headline: "The machine was too busy to measure anything fairly."}
	return rep
}

// Withheld shows signs of tampering.
func Withheld() *grading.Report {
	rep := Passing()
	rep.Verdict = grading.Withheld
	rep.Codes = []grading.Code{{Code: "TAMPER", Engineer: "What the process said of itself contradicts the kernel.",
		Recruiter: "The figures contradict each other; a person has to look.", Findings: []evidence.Finding{{Code: "TAMPER",
			Scenario: "main", Execution: "main", AtSeconds: 6.2,
			Detail: "The probe saw no delay above 3 ms while the heartbeat waited 1.38 s."}}}}
	return rep
}

// Empty is the smallest report that can be: nothing was judged and every list is nil.
func Empty() *grading.Report {
	return &grading.Report{Schema: grading.ReportSchema, Verdict: grading.Invalid, Invalid: "no attempt was made"}
}

// Attacks are strings that a submission could put wherever its text is shown.
func Attacks() []string {
	return []string{
		`<script>alert(1)</script>`,
		`</script><script>alert(2)</script>`,
		`</pre></details><img src=x onerror=alert(3)>`,
		`" autofocus onfocus="alert(4)`,
		"`{{.}}` ${alert(5)} <!-- --> ]]>",
		"\x1b[2J\x1b]0;owned\x07\x1b[31mred\x1b[0m",
		"safe\u202egnp.exe\u2066\u200b",
		"nul\x00del\x7fc1\u0085csi\u009b31m",
		"=cmd|' /C calc'!A0",
		"+1+1", "-2+3", "@SUM(1)", "\t=1+1", "\r=1+1",
		"| a | b |\n|---|---|\n[x](javascript:alert(6)) ![i](http://example.invalid/x.png)",
		"bad utf8 \xff\xfe end",
		"z\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301",
	}
}
