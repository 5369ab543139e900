package report

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/grading"
)

// fact is one line of “How sure we are”.
type fact struct {
	Term string
	Text string
	Code string // shown in the fixed-width face after the text
}

// facts say how far the figures can be trusted and how to check them.
func facts(rep *grading.Report, recompute string) []fact {
	var out []fact
	add := func(term, text, code string) {
		if text != "" || code != "" {
			out = append(out, fact{term, text, code})
		}
	}
	if scored(rep) {
		text := interval(rep.Interval) + "."
		if rep.Interval.Method != "" {
			text += " " + rep.Interval.Method
		}
		add("Interval", text, "")
	}
	n := rep.Noise
	if n.ReferenceRatio > 0 {
		text := fmt.Sprintf("At worst %.2f between two of its runs", n.ReferenceRatio)
		if n.ReferenceMetric != "" {
			text += ", in " + n.ReferenceMetric
		}
		add("Reference against itself", text+". 1.00 is perfectly steady; above 1.25 the grading is void.", "")
	}
	add("Machine", machineText(rep), "")
	add("Control", controlText(rep), strings.Join(n.ControlCodes, " "))
	add("Repeats", repeatText(n), "")
	add("Environment", environmentText(rep.Environment), "")
	add("Image", rep.Environment.Image, rep.Environment.ImageDigest)
	add("Challenge", fmt.Sprintf("%s, version %d", rep.Challenge.ID, rep.Challenge.Version), rep.Challenge.Digest)
	add("Submission", "Started with “"+strings.Join(rep.Submission.Start, " ")+"”", rep.Submission.Digest)
	add("Evidence", rep.Evidence.File, rep.Evidence.Digest)
	add("Seed commitment", "Published before the data was made:", rep.Seed.Commitment)
	add("Seed and salt", seedText(rep.Seed), strings.TrimSpace(rep.Seed.Value+" "+rep.Seed.Salt))
	add("Recompute", "The verdict follows from the evidence alone:", recompute)
	return out
}

func machineText(rep *grading.Report) string {
	if rep.Environment.Engine == "" {
		return ""
	}
	n := rep.Noise
	text := fmt.Sprintf("The same calculation took up to %s longer or shorter over the session. In the worst run the main thread "+
		"waited for a processor %s of the time.", quantity(n.CalibrationDrift, "share"), quantity(n.RunDelayShare, "share"))
	if n.HarnessMaxNs > 0 {
		text += fmt.Sprintf(" Before the runs, an idle server of ours answered within %s (99th percentile), %s at most.",
			quantity(float64(n.HarnessP99Ns), "ns"), quantity(float64(n.HarnessMaxNs), "ns"))
	}
	if n.StolenNs > 0 {
		text += fmt.Sprintf(" For %s the machine kept the submission waiting, which is taken out of its latencies.", quantity(float64(n.StolenNs), "ns"))
	}
	if n.PressureShare > 0 {
		text += fmt.Sprintf(" Something on this machine waited for a processor up to %s of the time.", quantity(n.PressureShare, "share"))
	}
	if n.ThrottledNs > 0 {
		text += " It was throttled for " + quantity(float64(n.ThrottledNs), "ns") + "."
	}
	if n.StealNs > 0 {
		text += " The host took away " + quantity(float64(n.StealNs), "ns") + "."
	}
	return text
}

func controlText(rep *grading.Report) string {
	if rep.Noise.ControlFailed {
		return "A solution known to be bad failed, as it must:"
	}
	if rep.Official {
		return "The known bad solution did not fail as it must, so this grading proves nothing."
	}
	return "No control was run, or it did not fail."
}

func repeatText(n grading.Noise) string {
	text := "No run was repeated"
	if n.Repeats > 0 {
		text = plural(n.Repeats, "attempt was", "attempts were") + " thrown away and repeated"
	}
	if n.Faults > 0 {
		again := plural(n.Faults, "step was", "steps were") + " made again after a fault of the machine"
		if n.Repeats > 0 {
			again = text + "; " + again
		}
		text = again
	}
	if n.ExtraPairs > 0 {
		text += "; " + plural(n.ExtraPairs, "pair of runs was", "pairs of runs were") + " added because the score lay on an edge"
	}
	return text + "."
}

func environmentText(e evidence.Environment) string {
	var parts []string
	add := func(format, v string) {
		if v != "" {
			parts = append(parts, fmt.Sprintf(format, v))
		}
	}
	add("Node %s", strings.TrimPrefix(e.Node, "v"))
	add("%s", strings.TrimSpace(e.Engine+" "+e.EngineVersion))
	add("runtime %s", e.Runtime)
	add("seccomp %s", e.Seccomp)
	add("%s", strings.TrimSpace(e.OS+" "+e.Kernel+" "+e.Arch))
	if e.CgroupVersion > 0 {
		parts = append(parts, fmt.Sprintf("cgroup v%d", e.CgroupVersion))
	}
	add("%s", e.CPUModel)
	add("submission on core %s", e.CandidateCores)
	add("load on core %s", e.DriverCores)
	if e.MemoryBytes > 0 {
		parts = append(parts, "limit "+quantity(float64(e.MemoryBytes), "bytes"))
	}
	add("file cache %s", e.PageCache)
	add("Assay %s", e.AssayVersion)
	return strings.Join(parts, " · ")
}

// seedText says whether the revealed seed is the one that was promised.
func seedText(s evidence.Seed) string {
	switch {
	case s.Commitment == "" || s.Value == "":
		return ""
	case seedMatches(s):
		return "Revealed afterwards; together they give the commitment (SHA-256 of salt, then seed):"
	default:
		return "Revealed afterwards. They do NOT give the commitment: do not trust this report."
	}
}

// seedMatches recomputes evidence.Seed's commitment.
func seedMatches(s evidence.Seed) bool {
	salt, err1 := hex.DecodeString(s.Salt)
	value, err2 := hex.DecodeString(s.Value)
	if err1 != nil || err2 != nil {
		return false
	}
	sum := sha256.Sum256(append(salt, value...))
	return s.Commitment == "sha256:"+hex.EncodeToString(sum[:])
}
