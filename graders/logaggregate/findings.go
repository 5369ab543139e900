package logaggregate

import (
	"fmt"

	"github.com/assay-run/assay/graders/signs"
	"github.com/assay-run/assay/internal/evidence"
)

// findings are the reason codes of a run. The rules are in contract.md.
func findings(scenario string, t *truth, verdicts []verdict) []evidence.Finding {
	var list []evidence.Finding
	add := func(v *verdict, code, detail string, at float64) {
		list = append(list, evidence.Finding{Code: code, Scenario: scenario, Execution: v.known.ID, Detail: detail, AtSeconds: at})
	}
	var split []*verdict
	for i := range verdicts {
		v := &verdicts[i]
		if v.exec == nil {
			continue
		}
		if v.death.Code != "" {
			add(v, v.death.Code, v.death.Detail, float64(v.exec.DurationNs)/1e9)
		}
		if t.Kind == kindAnomalies {
			if v.known.MultiByte && splitsCharacters(v) {
				split = append(split, v)
			}
		} else if !v.right && v.death.Code == "" {
			wrongResult(v, t.Kind, func(code, detail string) { add(v, code, detail, -1) })
		}
		if reason, at, ok := signs.Contradiction(v.exec); ok && v.exec.Exit.OK() {
			add(v, codeTamper, reason, at)
		}
	}
	// One file may be wrong for another reason; two that are wrong in nothing else are not.
	if len(split) >= 2 {
		for _, v := range split {
			add(v, codeUTF8Split, splitDetail(v), -1)
		}
	}
	return list
}

// wrongResult names the reason why the result for a large file is wrong.
func wrongResult(v *verdict, k kind, add func(code, detail string)) {
	if splitsCharacters(v) {
		add(codeUTF8Split, splitDetail(v))
		return
	}
	add(codeWrongOutput, v.lost+hint(v))
	if k != kindPlain || v.got == nil {
		return
	}
	if detail, ok := boundaryLoss(v); ok {
		add(codeBoundaryLoss, detail)
	}
}

// hint explains a mistake that is easy to recognise.
func hint(v *verdict) string {
	if v.onlyCodePoints() && *v.got.codePoints == v.want().MsgUTF16 {
		return " It counts UTF-16 units, not code points."
	}
	return ""
}

// splitsCharacters recognises chunks that are decoded one by one: everything is right, but there are more characters than
// there should be, because each part of a character that was cut becomes a replacement character of its own (or several).
// There cannot be more of them than a few for each chunk, and a chunk has at least 4 KiB.
func splitsCharacters(v *verdict) bool {
	if !v.onlyCodePoints() || *v.got.codePoints == v.want().MsgUTF16 {
		return false
	}
	const smallestChunk, mostForOne = 4 << 10, 3
	surplus := *v.got.codePoints - v.want().MsgCodePoints
	return surplus > 0 && surplus <= mostForOne*(v.known.Bytes/smallestChunk+1)
}

func splitDetail(v *verdict) string {
	surplus := *v.got.codePoints - v.want().MsgCodePoints
	return fmt.Sprintf("Everything is right but msgCodePoints, which has %s too many: characters that lie across two chunks were decoded in pieces.", signs.Number(surplus))
}

// boundaryLoss recognises lines that are broken where one chunk ends and the next begins: about one good line is missing
// for each 2^k bytes, and the pieces are lost, or are one or two bad lines.
func boundaryLoss(v *verdict) (string, bool) {
	want := v.want()
	if v.got.lines == nil || v.got.bad == nil {
		return "", false
	}
	missing := want.Good() - (*v.got.lines - *v.got.bad)
	extra := *v.got.bad - want.Bad
	if missing <= 0 || !pieces(missing, extra) {
		return "", false
	}
	for k := 12; k <= 24; k++ {
		chunk := int64(1) << k
		boundaries := (v.known.Bytes - 1) / chunk
		// A boundary breaks no good line when it falls between two lines or into a bad one, which is a few in a hundred.
		const fewest, leastBoundaries = 0.94, 8
		if boundaries >= leastBoundaries && missing <= boundaries && float64(missing) >= fewest*float64(boundaries)-2 {
			return fmt.Sprintf("%s good lines are missing: about one for each %s read, where one chunk ends and the next begins.", signs.Number(missing), chunkText(chunk)), true
		}
	}
	return "", false
}

// pieces says whether the number of additional bad lines fits to broken good ones: none, one or two for each.
func pieces(missing, extra int64) bool {
	for _, each := range []int64{0, 1, 2} {
		if off := extra - each*missing; off*10 <= missing+20 && -off*10 <= missing+20 {
			return true
		}
	}
	return false
}

func chunkText(chunk int64) string {
	if chunk >= 1<<20 {
		return fmt.Sprintf("%d MiB", chunk>>20)
	}
	return fmt.Sprintf("%d KiB", chunk>>10)
}
