package grading

// Bands of a challenge's score (catalogue §5.2).
const (
	bandJunior = 25.0
	bandMid    = 50.0
	bandSenior = 75.0
)

// bandName names the band a score lies in.
func bandName(score float64) string {
	switch {
	case score >= bandSenior:
		return "senior-like"
	case score >= bandMid:
		return "mid-like"
	case score >= bandJunior:
		return "junior-like"
	default:
		return "below junior"
	}
}

// edges are the scores at which something is decided, as far as a cap leaves them within reach.
func (e *evaluation) edges() []float64 {
	var within []float64
	for _, edge := range []float64{bandJunior, bandMid, bandSenior, e.ch.PassMark} {
		if e.cap == nil || edge < e.cap.Points {
			within = append(within, edge)
		}
	}
	return within
}

// straddles says whether an edge lies inside the interval, so that the same submission could fall on either side of it
// when it is graded again.
func (e *evaluation) straddles() bool {
	for _, edge := range e.edges() {
		if e.interval.low < edge && edge <= e.interval.high {
			return true
		}
	}
	return false
}

// borderline says that the runs do not decide on which side of an edge the submission lies. It is said of official modes
// only, after the session has added all the pairs it may (catalogue §5.4).
func (e *evaluation) borderline() bool { return e.mode.Official && e.straddle }

// standingScore is the score that verdict and band are read from: the measured one, or, when the runs do not decide, the
// better end of the interval. The candidate gets the benefit of the doubt; the score itself stays as it was measured.
func (e *evaluation) standingScore() float64 {
	if e.borderline() {
		return e.interval.high
	}
	return e.score
}

// verdict reads the outcome. Doubt about the grading comes before doubt about the submission, and that before the score.
func (e *evaluation) verdict(invalid string) Verdict {
	switch {
	case invalid != "":
		return Invalid
	case e.tampered():
		return Withheld
	case e.standingScore() >= e.ch.PassMark:
		return Pass
	default:
		return Fail
	}
}
