package report

// word is an entry of the glossary.
type word struct{ Term, Meaning string }

// glossary explains the words that a report uses and a recruiter may not know.
func glossary() []word {
	return []word{
		{"challenge", "The task that was given: its text, the work put on a solution, and what points are given for."},
		{"criterion", "One named judgement with points, for example “it answers while it works”."},
		{"gate", "Something that must hold. When it fails, the score is capped, however good the rest is."},
		{"reference", "Our own good solution. It ran on the same machine, on the same data, in turn with the submission."},
		{"ratio", "The submission's figure divided by the reference's. 1.00 is the same; whether more is better depends on the figure."},
		{"interval", "Where the score would fall in 9 of 10 repetitions. A difference smaller than the interval means nothing."},
		{"pass mark", "The score from which on a submission passes. It is part of the challenge, not of this run."},
		{"event loop", "Node.js does one thing at a time. While one piece of code holds it, every other request waits."},
		{"heartbeat", "A small request sent from outside 100 times a second, to see how long others would wait."},
		{"99th percentile", "99 of 100 values are at or below it; it shows the bad moments that an average hides."},
		{"memory", "What the program itself holds (anonymous and shared memory), not the system's file cache."},
		{"KB, MB, GB", "Powers of 1,024 bytes, as in the limits that candidates are given."},
		{"reason code", "A short fixed name for a kind of fault, such as LOOP_BLOCKED, the same in every report."},
		{"not assessed", "A failed gate made the criterion meaningless, so it was neither won nor lost; its weight went to the others."},
		{"control", "A solution known to be bad. It must fail in every grading; if it passed, the grading would be void."},
		{"official, practice", "An official run uses the full work and several runs. A practice run is short and proves less."},
	}
}
